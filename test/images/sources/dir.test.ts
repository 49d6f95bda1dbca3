import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openImage } from "../../../src/images/index.ts";
import { digestOf, documentBytes, parseReference } from "../../../src/oci/index.ts";
import { pulledIds, skopeoCopy } from "../../imagestore/containers.ts";
import { outOfLayer } from "../../imagestore/layer-prefix.ts";
import { scratchDirectory, unpack } from "../../imagestore/vectors.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

const VECTORS = new URL("../../vectors/repo/", import.meta.url).pathname;

/** An image whose layers are plain, gzip and zstd. */
async function layout(): Promise<string> {
  return unpack(join(VECTORS, "09-compressions", "layout.tar.gz"), join(scratch.path, "09"), "layout");
}

/** A copy that skopeo made. */
async function copied(name: string, ...options: readonly string[]): Promise<string> {
  const path = join(scratch.path, name);
  skopeoCopy(`oci:${await layout()}`, `dir:${path}`, ...options);
  return path;
}

async function opened(path: string) {
  const image = await openImage(parseReference(`dir:${path}`));
  await image.close();
  return image;
}

test("an image that skopeo copied into a directory is the image of the layout", async () => {
  const path = await copied("oci");
  const original = await openImage(parseReference(`oci:${await layout()}`));
  await original.close();
  assert.deepEqual((await opened(path)).manifestBytes, original.manifestBytes);
  assert.deepEqual(
    await pulledIds(scratch.path, `dir:${path}`),
    await pulledIds(scratch.path, `oci:${await layout()}`),
  );
});

test("with a manifest of Docker's the image is the same; only the manifest has another digest", async () => {
  const simple = await unpack(join(VECTORS, "01-simple", "layout.tar.gz"), join(scratch.path, "01"), "layout");
  const path = join(scratch.path, "docker");
  skopeoCopy(`oci:${simple}`, `dir:${path}`, "--format", "v2s2");
  const stored = JSON.parse(readFileSync(join(path, "manifest.json"), "utf8"));
  assert.equal(stored.mediaType, "application/vnd.docker.distribution.manifest.v2+json");
  assert.deepEqual(await pulledIds(scratch.path, `dir:${path}`), await pulledIds(scratch.path, `oci:${simple}`));
});

test("a plain layer is taken even when its media type says gzip, as podman save writes it", async () => {
  const path = await copied("mislabelled", "--dest-decompress");
  const plain = readFileSync(join(path, "manifest.json"), "utf8");
  const relabelled = plain.replaceAll('.layer.v1.tar"', '.layer.v1.tar+gzip"');
  assert.notEqual(relabelled, plain);
  writeFileSync(join(path, "manifest.json"), relabelled);
  assert.deepEqual(
    await pulledIds(scratch.path, `dir:${path}`),
    await pulledIds(scratch.path, `oci:${await layout()}`),
  );
});

test("an index leads to the manifests beside it", async () => {
  const path = await copied("index");
  const manifest = readFileSync(join(path, "manifest.json"));
  const digest = digestOf(manifest);
  const entry = { mediaType: JSON.parse(manifest.toString()).mediaType, digest, size: manifest.length };
  writeFileSync(join(path, `${digest.slice("sha256:".length)}.manifest.json`), manifest);
  writeFileSync(join(path, "manifest.json"), documentBytes({ schemaVersion: 2, manifests: [entry] }));
  assert.equal((await opened(path)).descriptor.digest, digest);
  writeFileSync(join(path, `${digest.slice("sha256:".length)}.manifest.json`), `${manifest} `);
  await assert.rejects(opened(path), { code: "corrupt", message: /it has \d+ bytes, expected \d+$/ });
});

test("blobs are checked against their digests", async () => {
  const path = await copied("tampered");
  const { manifest } = await opened(path);
  const blob = join(path, (manifest.layers[0]?.digest ?? "").slice("sha256:".length));
  const bytes = readFileSync(blob);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(blob, bytes);
  await assert.rejects(pulledIds(scratch.path, `dir:${path}`), { code: "corrupt" });
  rmSync(blob);
  await assert.rejects(
    pulledIds(scratch.path, `dir:${path}`),
    outOfLayer({ code: "not-found", message: /^Cannot read blob/ }),
  );
});

test("what is not such a directory is refused", async () => {
  const path = join(scratch.path, "refused");
  await assert.rejects(opened(path), { code: "not-found" });
  mkdirSync(path);
  await assert.rejects(opened(path), { code: "not-found", message: /manifest\.json/ });
  const cases: readonly (readonly [string, object])[] = [
    ["{", { code: "corrupt", message: /it is not JSON$/ }],
    ["[]", { code: "corrupt", message: /it is neither a manifest nor an index$/ }],
    ['{"schemaVersion":1}', { code: "unsupported", message: /manifests of Docker's first schema are not supported$/ }],
  ];
  for (const [text, error] of cases) {
    writeFileSync(join(path, "manifest.json"), text);
    await assert.rejects(opened(path), error);
  }
  writeFileSync(join(path, "version"), "Directory Transport Version: 2.0\n");
  await assert.rejects(opened(path), {
    code: "unsupported",
    message: `Cannot open image dir:${path}: its form is "Directory Transport Version: 2.0"`,
  });
});
