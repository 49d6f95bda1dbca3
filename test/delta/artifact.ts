/** Makes oci-deltas of two images in layouts, from the description of the format alone (containers/oci-delta, README.md). */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { walkTar } from "../host/bootc/tar-walk.ts";
import { diffOf, emit, type Operation, tarDiff } from "./encoder.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface DeltaParts {
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly layers: readonly Descriptor[];
}

export interface DeltaOptions {
  /** Another tar-diff than the one that leads to a layer. */
  readonly changeDiff?: (diff: Buffer) => Buffer;
  /** Another manifest of the artifact. */
  readonly changeParts?: (parts: DeltaParts, store: Blobs) => DeltaParts;
  /** Layers whose number is here are stored as they are. */
  readonly original?: ReadonlySet<number>;
}

const PREFIX = "io.github.containers.delta";
const DELTA = "application/vnd.io.github.containers.oci-delta.v1";

/** The blobs of a layout in the making. */
export class Blobs {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
    writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  put(bytes: Uint8Array, mediaType: string, annotations?: Readonly<Record<string, string>>): Descriptor {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(this.directory, "blobs/sha256", hex), bytes);
    return {
      mediaType,
      digest: `sha256:${hex}`,
      size: bytes.length,
      ...(annotations === undefined ? {} : { annotations }),
    };
  }
}

/** Manifest and configuration in a layout, as bytes and parsed. */
export function readLayout(layout: string) {
  const blob = (digest: string) => readFileSync(join(layout, "blobs/sha256", digest.slice("sha256:".length)));
  const manifestDigest: string = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests[0].digest;
  const manifestBytes = blob(manifestDigest);
  const manifest = JSON.parse(manifestBytes.toString("utf8"));
  const configBytes = blob(manifest.config.digest);
  const config = JSON.parse(configBytes.toString("utf8"));
  const layers = (manifest.layers as Descriptor[]).map(({ digest, mediaType }, index) => ({
    ...{ digest, mediaType, bytes: blob(digest), tar: gunzipSync(blob(digest)) },
    diffId: config.rootfs.diff_ids[index] as string,
  }));
  return { manifestDigest, manifestBytes, manifest, configBytes, config, layers };
}

/** @param directory is made; a delta as a directory, see {@link packed} */
export function makeDelta(oldLayout: string, newLayout: string, directory: string, options: DeltaOptions = {}): string {
  const [before, after] = [readLayout(oldLayout), readLayout(newLayout)];
  const files = new Map<string, Buffer>();
  for (const { tar } of before.layers) {
    for (const { path, kind, body } of walkTar(tar).members) if (kind === "file") files.set(path, body);
  }
  const store = new Blobs(directory);
  const content = (name: string, more: Record<string, string> = {}) => ({ [`${PREFIX}.content`]: name, ...more });
  const known = new Set(before.layers.map(({ diffId }) => diffId));
  const layers = after.layers.flatMap(({ digest, mediaType, bytes, tar, diffId }, index) => {
    if (known.has(diffId)) return [];
    const annotations = content("image-layer", { [`${PREFIX}.to`]: digest });
    if (options.original?.has(index) === true) return [store.put(bytes, mediaType, annotations)];
    const diff = tarDiff(operationsOf(tar, files));
    return [store.put(options.changeDiff?.(diff) ?? diff, "application/vnd.tar-diff", annotations)];
  });
  const manifest = store.put(after.manifestBytes, after.manifest.mediaType, content("image-manifest"));
  const config = store.put(after.configBytes, after.manifest.config.mediaType, content("image-config"));
  const parts: DeltaParts = {
    artifactType: DELTA,
    annotations: {
      [`${PREFIX}.source`]: before.manifestDigest,
      [`${PREFIX}.source-config`]: before.manifest.config.digest,
      [`${PREFIX}.target`]: after.manifestDigest,
    },
    layers: [manifest, config, ...layers],
  };
  const { mediaType, digest, size } = manifest;
  const empty = store.put(Buffer.from("{}"), "application/vnd.oci.empty.v1+json");
  const document = { schemaVersion: 2, config: empty, subject: { mediaType, digest, size } };
  const artifact = Buffer.from(JSON.stringify({ ...document, ...(options.changeParts?.(parts, store) ?? parts) }));
  const entry = store.put(artifact, "application/vnd.oci.image.manifest.v1+json");
  writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return directory;
}

/** The tar by what is in it: headers as they are, bodies by the file that was called the same. */
function operationsOf(tar: Buffer, files: ReadonlyMap<string, Buffer>): Operation[] {
  const { members, runs } = walkTar(tar);
  const bodies = members.filter(({ kind, body }) => kind === "file" && body.length > 64);
  let next = 0;
  return runs.flatMap(({ bytes, isBody }) => {
    if (!isBody) return [emit(bytes)];
    const path = bodies[next++]?.path ?? "";
    const old = files.get(path);
    return old === undefined ? [emit(bytes)] : diffOf(path, old, bytes);
  });
}

/** A delta as oci-delta ships it: a plain tar. */
export function packed(directory: string): string {
  execFileSync("tar", ["-cf", `${directory}.oci-delta`, "-C", directory, ...readdirSync(directory)]);
  return `${directory}.oci-delta`;
}
