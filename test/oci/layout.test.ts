import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { digestOf, type ImageManifest, MEDIA_TYPE, OciLayout, putLayer } from "../../src/oci/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { decompress } from "../../src/zstd/index.ts";

let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "sealroot-layout-"));
});
after(() => rm(scratch, { recursive: true }));

const MEMBERS: TarMember[] = [
  {
    header: { kind: "directory", path: byteStringOfText("usr"), mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1n },
  },
  {
    header: { kind: "file", path: byteStringOfText("usr/a"), mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1n },
    body: Buffer.alloc(100_000, "abc"),
  },
];

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

async function imageIn(layout: OciLayout, tag: string) {
  const layer = await putLayer(layout, writeTar(MEMBERS), { compression: "zstd" });
  const config = await layout.putConfig({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
  });
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config,
    layers: [layer.descriptor],
  };
  const descriptor = await layout.putManifest(manifest, { tag, platform: { architecture: "amd64", os: "linux" } });
  return { layer, manifest, descriptor };
}

test("a layout holds what was put in, under the digest of its bytes, and nothing else", async () => {
  const directory = join(scratch, "put");
  const layout = await OciLayout.create(directory);
  const { layer, descriptor } = await imageIn(layout, "v1");
  assert.deepEqual(JSON.parse(await readFile(join(directory, "oci-layout"), "utf8")), { imageLayoutVersion: "1.0.0" });
  assert.deepEqual((await layout.readIndex()).manifests, [
    { ...descriptor, annotations: { "org.opencontainers.image.ref.name": "v1" } },
  ]);
  const blobs = await readdir(join(directory, "blobs", "sha256"));
  assert.equal(blobs.length, 3);
  for (const name of blobs) {
    const bytes = await readFile(join(directory, "blobs", "sha256", name));
    assert.equal(digestOf(bytes), `sha256:${name}`);
  }
  assert.deepEqual(await readdir(join(directory, "blobs")), ["sha256"]);
  const tar = await bytesOf(decompress(layout.blobs.read(layer.descriptor), "zstd"));
  assert.equal(digestOf(tar), layer.diffId);
  assert.equal(tar.length, layer.uncompressedBytes);
});

test("equal input gives equal layouts, for every compression", async () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const [one, two] = [
      await OciLayout.create(join(scratch, `${compression}-1`)),
      await OciLayout.create(join(scratch, `${compression}-2`)),
    ];
    const first = await putLayer(one, writeTar(MEMBERS), { compression });
    const second = await putLayer(two, writeTar(MEMBERS), { compression });
    assert.deepEqual(first, second);
    assert.equal(digestOf(await bytesOf(decompress(one.blobs.read(first.descriptor), compression))), first.diffId);
  }
});

test("a pipe or a folder in a blob's place is refused, and not waited for", async () => {
  const layout = await OciLayout.create(join(scratch, "not-a-file"));
  const { layer } = await imageIn(layout, "latest");
  const path = layout.blobs.pathOf(layer.descriptor.digest);
  for (const make of [() => execFileSync("mkfifo", [path]), () => mkdirSync(path)]) {
    rmSync(path, { recursive: true });
    make();
    await assert.rejects(layout.blobs.read(layer.descriptor).next(), {
      code: "corrupt",
      message: /it has \d+ bytes, expected/,
    });
  }
});

test("a tag moves from one image to the next, and index.json loses the first", async () => {
  const layout = await OciLayout.create(join(scratch, "retag"));
  const { manifest, descriptor } = await imageIn(layout, "latest");
  const other = await layout.putManifest({ ...manifest, annotations: { a: "b" } }, { tag: "latest" });
  assert.notEqual(other.digest, descriptor.digest);
  assert.deepEqual(
    (await layout.readIndex()).manifests.map((entry) => entry.digest),
    [other.digest],
  );
});

test("one image may have two tags", async () => {
  const layout = await OciLayout.create(join(scratch, "two-tags"));
  const { manifest } = await imageIn(layout, "one");
  await layout.putManifest(manifest, { tag: "two" });
  const tags = (await layout.readIndex()).manifests.map(
    (entry) => entry.annotations?.["org.opencontainers.image.ref.name"],
  );
  assert.deepEqual(tags, ["one", "two"]);
});

test("an image is copied to another layout by hard links", async () => {
  const from = await OciLayout.create(join(scratch, "from"));
  const to = await OciLayout.create(join(scratch, "to"));
  const { manifest, descriptor, layer } = await imageIn(from, "v");
  await to.copyImage(from, descriptor, manifest, "copied");
  const path = to.blobs.pathOf(layer.descriptor.digest);
  assert.equal((await stat(path)).ino, (await stat(from.blobs.pathOf(layer.descriptor.digest))).ino);
  assert.equal((await to.readIndex()).manifests[0]?.digest, descriptor.digest);
});

test("a manifest whose layer is absent is not stored", async () => {
  const layout = await OciLayout.create(join(scratch, "absent"));
  const { manifest } = await imageIn(layout, "v");
  const digest = `sha256:${"0".repeat(64)}`;
  const [layer] = manifest.layers;
  assert.ok(layer);
  await assert.rejects(layout.putManifest({ ...manifest, layers: [{ ...layer, digest }] }), {
    code: "not-found",
    message: new RegExp(`^Cannot store manifest: blob ${digest} is not in the layout`),
  });
  assert.equal((await layout.readIndex()).manifests.length, 1);
});

test("a blob that was changed, grown or shrunk is refused before its end", async () => {
  const layout = await OciLayout.create(join(scratch, "tampered"));
  const content = Buffer.from("some bytes");
  const blob = await layout.blobs.put(content);
  const path = layout.blobs.pathOf(blob.digest);
  await writeFile(path, "some bytez");
  const actual = `sha256:${createHash("sha256").update("some bytez").digest("hex")}`;
  await assert.rejects(layout.blobs.readWhole(blob), (error: SealrootError) => {
    assert.equal(error.code, "corrupt");
    assert.equal(error.message, `Cannot accept blob ${path}: its digest is ${actual}, expected ${blob.digest}`);
    return true;
  });
  await writeFile(path, "some bytes and more");
  await assert.rejects(layout.blobs.readWhole(blob), {
    code: "corrupt",
    message: `Cannot accept blob ${path}: it has 19 bytes, expected 10`,
  });
});

test("a failing source leaves no blob", async () => {
  const directory = join(scratch, "failing");
  const layout = await OciLayout.create(directory);
  async function* failing() {
    yield Buffer.from("half");
    throw new SealrootError("corrupt", "Cannot go on: source broke");
  }
  await assert.rejects(layout.blobs.put(failing()), { code: "corrupt", message: "Cannot go on: source broke" });
  assert.deepEqual(await readdir(join(directory, "blobs")), ["sha256"]);
  assert.deepEqual(await readdir(join(directory, "blobs", "sha256")), []);
});

test("a directory with other content is not made a layout, and one without content is not opened as one", async () => {
  await writeFile(join(scratch, "file"), "x");
  await assert.rejects(OciLayout.create(scratch), { code: "exists" });
  await assert.rejects(OciLayout.open(scratch), { code: "not-found" });
});

test("a blob that is taken over replaces what has its name already, and stays when it is the same file", async () => {
  const [one, other] = [await OciLayout.create(join(scratch, "one")), await OciLayout.create(join(scratch, "other"))];
  const blob = await one.blobs.put(Buffer.from("right"));
  await writeFile(other.blobs.pathOf(blob.digest), "wr");
  for (let times = 0; times < 2; times++) {
    await other.blobs.copyFrom(one.blobs, blob);
    assert.equal((await other.blobs.readWhole(blob)).toString(), "right");
    assert.deepEqual(await readdir(join(scratch, "other", "blobs")), ["sha256"]);
  }
});
