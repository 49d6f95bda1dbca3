import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import { computeImageId, findImage, layerStreamName, pullImage } from "../../src/imagestore/index.ts";
import { MEDIA_TYPE, OciLayout, putLayer } from "../../src/oci/index.ts";
import { initRepository, type Repository } from "../../src/repository/index.ts";
import { readChunks, readSplitStream } from "../../src/splitstream/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { scratchDirectory, unpack } from "./vectors.ts";

const OCI_VECTORS = new URL("../vectors/oci/", import.meta.url).pathname;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

let made = 0;
async function newRepository(): Promise<Repository> {
  const path = join(scratch.path, `repository-${++made}`);
  return (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
}

const COMMON = { mode: 0o755, uid: 0, gid: 0, mtimeSeconds: 1_000_000_000n };

function file(path: string, body: Uint8Array): TarMember {
  return { header: { ...COMMON, kind: "file", path: byteStringOfText(path), sizeBytes: body.length }, body };
}

const USR: TarMember = { header: { ...COMMON, kind: "directory", path: "usr" as ByteString } };

/** A layout with one image of one layer; `change` may spoil the layer's descriptor or the diff id. */
async function layoutOf(members: readonly TarMember[], change: { mediaType?: string; diffId?: string } = {}) {
  const layout = await OciLayout.create(join(scratch.path, `layout-${++made}`));
  const layer = await putLayer(layout, writeTar([USR, ...members]), { compression: "zstd" });
  const { mediaType = layer.descriptor.mediaType, diffId = layer.diffId } = change;
  const config = await layout.putConfig({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [diffId] },
  });
  await layout.putManifest(
    { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers: [{ ...layer.descriptor, mediaType }] },
    { tag: "t" },
  );
  return { reference: `oci:${layout.directory}:t`, blob: layout.blobs.pathOf(layer.descriptor.digest), diffId };
}

async function reassembledDigest(repository: Repository, diffId: string): Promise<string> {
  const hash = createHash("sha256");
  const { objectId } = repository.streams.resolve(layerStreamName(diffId));
  await readChunks(readSplitStream(repository.objects.read(objectId)), {
    inline: (bytes) => hash.update(bytes),
    external: (id) => hash.update(repository.objects.read(id)),
  });
  return `sha256:${hash.digest("hex")}`;
}

function namesIn(repository: Repository): string[] {
  return [...repository.streams.entries(), ...repository.images.entries()].map(({ entry }) => entry);
}

test("property: layers of any sizes come back byte for byte, equal bodies stored once", async () => {
  const size = fc.oneof(
    fc.nat(200),
    fc.nat(20_000),
    fc.constantFrom(512 << 10, (512 << 10) + 1, (1 << 20) + 7, 3 << 20),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(size, fc.nat(3)), { maxLength: 25 }), async (files) => {
      using repository = await newRepository();
      const members = files.map(([bytes, seed], index) => file(`usr/f${index}`, Buffer.alloc(bytes, `seed ${seed}`)));
      const { reference, diffId } = await layoutOf(members);
      const pulled = await pullImage(repository, reference, { name: "x" });
      assert.equal(await reassembledDigest(repository, diffId), diffId);
      const large = files.filter(([bytes]) => bytes > 64);
      const distinct = new Set(large.map(([bytes, seed]) => `${bytes} ${seed}`));
      assert.equal(pulled.statistics.newObjects, distinct.size);
      assert.equal(pulled.statistics.newObjects + pulled.statistics.presentObjects, large.length);
    }),
    { numRuns: 10 },
  );
});

test("a truncated, grown or altered blob is refused whatever byte it is, and leaves no name", async () => {
  const { reference, blob } = await layoutOf([
    file("usr/a", randomBytes(300_000)),
    file("usr/b", randomBytes(900_000)),
  ]);
  const good = readFileSync(blob);
  for (const cut of [0, 1, 1000, good.length - 1]) {
    using repository = await newRepository();
    writeFileSync(blob, good);
    truncateSync(blob, cut);
    await assert.rejects(pullImage(repository, reference), { code: "corrupt" }, `cut to ${cut}`);
    assert.deepEqual(namesIn(repository), []);
  }
  for (const at of [0, 5, 400_000, good.length - 1]) {
    using repository = await newRepository();
    const altered = Buffer.from(good);
    altered[at] = (altered[at] as number) ^ 0x20;
    writeFileSync(blob, altered);
    await assert.rejects(pullImage(repository, reference), { code: "corrupt" }, `byte ${at}`);
    assert.deepEqual(namesIn(repository), []);
  }
  using repository = await newRepository();
  writeFileSync(blob, Buffer.concat([good, zstdCompressSync(Buffer.from("more"))]));
  await assert.rejects(pullImage(repository, reference), { code: "corrupt" });
});

test("after a refused pull the right bytes are pulled into the same repository", async () => {
  const { reference, blob, diffId } = await layoutOf([file("usr/a", randomBytes(2_000_000))]);
  const good = readFileSync(blob);
  using repository = await newRepository();
  writeFileSync(blob, good.subarray(0, good.length - 100));
  await assert.rejects(pullImage(repository, reference), { code: "corrupt" });
  writeFileSync(blob, good);
  await pullImage(repository, reference, { name: "x" });
  assert.equal(await reassembledDigest(repository, diffId), diffId);
});

test("a layer whose content has another digest than the configuration says is refused with both", async () => {
  const expected = `sha256:${"ab".repeat(32)}`;
  const { reference } = await layoutOf([file("usr/a", Buffer.alloc(1000))], { diffId: expected });
  using repository = await newRepository();
  await assert.rejects(pullImage(repository, reference), {
    code: "corrupt",
    message: new RegExp(`: Cannot accept the unpacked tar: its digest is sha256:[0-9a-f]{64}, expected ${expected}$`),
  });
  assert.deepEqual(namesIn(repository), []);
});

test("a layer that is not a tar is refused before anything is read", async () => {
  const mediaType = "application/vnd.example.thing";
  const { reference } = await layoutOf([], { mediaType });
  using repository = await newRepository();
  await assert.rejects(pullImage(repository, reference), { code: "unsupported", message: /is not a tar layer$/ });
});

test("a pull heals a repository whose layer stream object is gone", async () => {
  const { reference, diffId } = await layoutOf([file("usr/a", Buffer.alloc(5000, 7))]);
  using repository = await newRepository();
  await pullImage(repository, reference, { name: "x" });
  const id = await computeImageId(repository, "x", { bootable: false, keepUserXattrs: false });
  const { objectId } = repository.streams.resolve(layerStreamName(diffId));
  rmSync(repository.objects.path(objectId));
  await pullImage(repository, reference, { name: "x" });
  assert.equal(await computeImageId(repository, "x", { bootable: false, keepUserXattrs: false }), id);
});

const FULL_PULLS = [
  "zstd-multiframe",
  "estargz",
  "zstd-chunked-2layer",
  "zstd-chunked-hand",
  "zstd-chunked-tail",
  "cosign-key",
];

for (const archive of FULL_PULLS) {
  test(`${archive}: every image is pulled whole, all frames and members, diff ids right`, async () => {
    const into = await unpack(join(OCI_VECTORS, `${archive}.tar.gz`), join(scratch.path, archive), "");
    const layouts = readdirSync(into, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.ok(layouts.length >= 1);
    for (const { name } of layouts) {
      using repository = await newRepository();
      await pullImage(repository, `oci:${join(into, name)}:v`, { name });
      const image = await findImage(repository, name);
      for (const diffId of image.layers.keys()) assert.equal(await reassembledDigest(repository, diffId), diffId);
    }
  });
}
