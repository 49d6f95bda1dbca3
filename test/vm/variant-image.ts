/**
 * Further images for upgrades, switches and rollbacks: the example with other files in it, sealed with the example's keys.
 * Nothing is bootstrapped; a variant takes the time of sealing (10 s on an idle machine).
 */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { addLayer } from "../../examples/debian/add-layer.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { OciLayout, readManifest } from "../../src/oci/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { run } from "../cli/run-verb.ts";

/** What a variant is made of: the example, or another image in a layout of its own (its first manifest). */
export interface VariantBase {
  readonly imageDirectory: string;
  readonly keysDirectory: string;
}

/** By path without a leading slash: a file's whole content (0644), or what it is. */
export type VariantFile =
  | string
  | Uint8Array
  | { readonly body: string | Uint8Array; readonly mode?: number; readonly uid?: number; readonly gid?: number }
  | { readonly linkTo: string }
  | { readonly directory: number };

export interface VariantOptions {
  /** Names the layout, and is the file `/usr/lib/sealroot-variant` of the image, so that no two variants are equal. */
  readonly name: string;
  /** Put over what the image has. Parents that it lacks are made, 0755. */
  readonly files?: Readonly<Record<string, VariantFile>>;
  /** Files and whole directories that go, without leading slash. */
  readonly remove?: readonly string[];
  /** `org.opencontainers.image.version` of the manifest and of the configuration; absent: as in the example. */
  readonly version?: string;
  /** Further labels of the configuration. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Further words for `sealroot seal`, such as `--karg`. */
  readonly sealWords?: readonly string[];
  /** False: the variant is not sealed, and is an image as a builder makes it. True if absent. */
  readonly sealed?: boolean;
}

export interface VariantImage {
  /** `oci:DIRECTORY:TAG`, to be installed or copied to a registry. */
  readonly reference: string;
  readonly manifestDigest: string;
  /** 128 hex digits; empty for an image that is not sealed. */
  readonly deploymentId: string;
  readonly commandLine: string;
}

/** The time of everything that a variant adds: a day after the example's, so that /usr counts as changed. */
const EPOCH_SECONDS = 1_793_491_200 + 86_400;
export const VARIANT_FILE = "usr/lib/sealroot-variant";
const VERSION_KEY = "org.opencontainers.image.version";

/**
 * Makes a variant in new folders below `directory`. Equal options give equal digests.
 * @param directory exists; `NAME` and `NAME-sealed` are made in it
 */
export async function variantImage(
  base: VariantBase,
  directory: string,
  options: VariantOptions,
): Promise<VariantImage> {
  const unsealed = join(directory, options.name);
  cpSync(base.imageDirectory, unsealed, { recursive: true });
  const manifestDigest = await addFiles(unsealed, options);
  const source = `oci:${unsealed}:${options.name}`;
  if (options.sealed === false) return { reference: source, manifestDigest, deploymentId: "", commandLine: "" };
  const reference = `oci:${join(directory, `${options.name}-sealed`)}:${options.name}`;
  const words = ["seal", "--insecure-policy", source, "-o", reference, "--keys", base.keysDirectory, "--json"];
  const { exitCode, out, err } = await run(...words, ...(options.sealWords ?? []));
  assert.equal(exitCode, 0, err);
  const sealed = JSON.parse(out);
  return {
    reference,
    manifestDigest: sealed.manifestDigest,
    deploymentId: sealed.imageId,
    commandLine: sealed.commandLine,
  };
}

/** Puts one layer on the first image of the layout, under the variant's name. */
async function addFiles(directory: string, options: VariantOptions): Promise<string> {
  const there = await directoriesIn(directory);
  const version = options.version === undefined ? {} : { [VERSION_KEY]: options.version };
  const { manifest } = await addLayer(directory, writeTar(members(options, there)), {
    tag: options.name,
    createdBy: `variant ${options.name}`,
    compression: { compression: "gzip" },
    annotations: version,
    labels: { ...version, ...options.labels },
  });
  return manifest.digest;
}

/** Names without a final slash of the directories that any of the image's gzip layers has. */
async function directoriesIn(directory: string): Promise<ReadonlySet<string>> {
  const layout = await OciLayout.open(directory);
  const [entry] = (await layout.readIndex()).manifests;
  assert.ok(entry !== undefined, `${directory} has no image`);
  const { layers } = readManifest(await layout.blobs.readWhole(entry), entry.digest);
  const lists = await Promise.all(layers.map(({ digest }) => runTool("tar", ["-tzf", layout.blobs.pathOf(digest)])));
  const names = lists.flatMap(({ stdout }) => stdout.toString().split("\n"));
  const directories = names.filter((name) => name.endsWith("/"));
  return new Set(directories.map((name) => name.replace(/^\.\//, "").replace(/\/$/, "")));
}

/** Whiteouts first, so that a directory can be removed and made anew (spec/oci.md 3). */
function members(options: VariantOptions, there: ReadonlySet<string>): TarMember[] {
  const common = { uid: 0, gid: 0, mtimeSeconds: BigInt(EPOCH_SECONDS) };
  const made = new Set(there);
  const result: TarMember[] = [];
  const putParents = (path: string) => {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      const parent = path.slice(0, end);
      if (!made.has(parent)) putDirectory(parent, 0o755);
    }
  };
  const putDirectory = (path: string, mode: number) => {
    result.push({ header: { ...common, kind: "directory", path: byteStringOfText(path), mode } });
    made.add(path);
  };
  const put = (path: string, file: VariantFile) => {
    putParents(path);
    const named = { ...common, path: byteStringOfText(path) };
    if (typeof file === "string" || file instanceof Uint8Array) put(path, { body: file });
    else if ("directory" in file) putDirectory(path, file.directory);
    else if ("linkTo" in file) {
      const linkPath = byteStringOfText(file.linkTo);
      result.push({ header: { ...named, kind: "symlink", linkPath, mode: 0o777 } });
    } else {
      const { body, mode = 0o644, uid = 0, gid = 0 } = file;
      const bytes = Buffer.from(body as string);
      result.push({ header: { ...named, kind: "file", mode, uid, gid, sizeBytes: bytes.length }, body: bytes });
    }
  };
  for (const path of options.remove ?? []) {
    const whiteout = path.replace(/[^/]*$/, (name) => `.wh.${name}`);
    result.push({
      header: { ...common, kind: "file", path: byteStringOfText(whiteout), mode: 0, sizeBytes: 0 },
      body: new Uint8Array(),
    });
    for (const name of made) if (name === path || name.startsWith(`${path}/`)) made.delete(name);
  }
  put(VARIANT_FILE, `${options.name}\n`);
  for (const [path, file] of Object.entries(options.files ?? {})) put(path, file);
  return result;
}
