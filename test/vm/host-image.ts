/** The example with the host program in it, as `COPY --from=TOOL /usr /usr` in a Containerfile makes it. */
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeProgramFolder } from "../../scripts/package/program-folder.ts";
import { makeToolImage } from "../../scripts/package/tool-image.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { OciLayout, putLayer, readConfig, readManifest } from "../../src/oci/index.ts";
import { writeTar } from "../../src/tar/index.ts";
import { run } from "../cli/run-verb.ts";
import { distributionIn, EPOCH_SECONDS } from "../package/built.ts";
import type { SealedExample } from "./sealed-example.ts";

/**
 * Seals the example with the host program, with the example's keys, and installs it.
 * @param directory takes everything, the disk included
 */
export async function hostDisk(
  example: SealedExample,
  directory: string,
): Promise<{ readonly diskPath: string; readonly deploymentId: string; readonly manifestDigest: string }> {
  const folder = join(directory, "program");
  makeProgramFolder(await distributionIn(directory), folder, "amd64");
  const tool = join(directory, "tool");
  await makeToolImage(folder, tool, "amd64", EPOCH_SECONDS);
  const image = join(directory, "image");
  cpSync(example.imageDirectory, image, { recursive: true });
  await addLayers(image, tool);
  await addLibraries(image);
  const sealed = `oci:${join(directory, "sealed")}:latest`;
  const diskPath = join(directory, "disk.img");
  await succeed("seal", "--insecure-policy", `oci:${image}:host`, "-o", sealed, "--keys", example.keysDirectory);
  const words = ["install", "to-disk", diskPath, "--size", "4G", "--source-imgref", sealed, "--insecure-policy"];
  const installed = await succeed(...words, "--target-imgref", "localhost/host:latest", "--json");
  return { diskPath, ...JSON.parse(installed) };
}

/** Puts the layers of the image in `from` on top of the one in `directory`, under the tag `host`. */
async function addLayers(directory: string, from: string): Promise<void> {
  const [lower, upper] = await Promise.all([readImage(directory), readImage(from)]);
  for (const { digest } of upper.manifest.layers) {
    const blob = join("blobs/sha256", digest.replace("sha256:", ""));
    cpSync(join(from, blob), join(directory, blob));
  }
  const diffIds = [...lower.config.rootfs.diff_ids, ...upper.config.rootfs.diff_ids];
  const { history: _, ...config } = lower.config;
  const descriptor = await lower.layout.putConfig({ ...config, rootfs: { type: "layers", diff_ids: diffIds } });
  const layers = [...lower.manifest.layers, ...upper.manifest.layers];
  await lower.layout.putManifest({ ...lower.manifest, config: descriptor, layers }, { tag: "host" });
}

/** What Node needs and the example lacks: libstdc++6 and libgcc-s1, from the system that runs the test. */
async function addLibraries(directory: string): Promise<void> {
  const folder = "usr/lib/x86_64-linux-gnu";
  const files = ["libstdc++.so.6", "libgcc_s.so.1"].map((name) => ({
    header: {
      ...{ kind: "file" as const, path: byteStringOfText(`${folder}/${name}`), mode: 0o755, uid: 0, gid: 0 },
      mtimeSeconds: BigInt(EPOCH_SECONDS),
    },
    body: readFileSync(join("/", folder, name)),
  }));
  const { layout, manifest, config } = await readImage(directory, "host");
  const { descriptor, diffId } = await putLayer(layout, writeTar(files), { compression: "gzip" });
  const diffIds = [...config.rootfs.diff_ids, diffId];
  const configDescriptor = await layout.putConfig({ ...config, rootfs: { type: "layers", diff_ids: diffIds } });
  await layout.putManifest(
    { ...manifest, config: configDescriptor, layers: [...manifest.layers, descriptor] },
    { tag: "host" },
  );
}

async function readImage(directory: string, tag?: string) {
  const layout = await OciLayout.open(directory);
  const { manifests } = await layout.readIndex();
  const named =
    (name: string) =>
    ({ annotations }: { annotations?: Record<string, string> | undefined }) =>
      annotations?.["org.opencontainers.image.ref.name"] === name;
  const entry = tag === undefined ? manifests[0] : manifests.find(named(tag));
  assert.ok(entry !== undefined);
  const manifest = readManifest(await layout.blobs.readWhole(entry), entry.digest);
  const config = readConfig(await layout.blobs.readWhole(manifest.config), manifest.config.digest);
  return { layout, manifest, config };
}

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, `${words.join(" ")}: ${err}`);
  return out;
}
