import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { alignUp } from "../../src/bytes/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { initRepository, openRepository, type Repository } from "../../src/repository/index.ts";
import { readExt4VerityDescriptor, verityDigest } from "../../src/verity/index.ts";

const SIZES_BYTES = [0, 1, 4096, 4097, 65535, 65536, 65537, 300_000, 3 << 20];

for (const algorithm of ["sha256", "sha512"] as const) {
  test(`a staged ${algorithm} repository has ext4's verity metadata behind each object`, async () => {
    using directory = temporaryDirectory();
    using repository = (await initRepository(directory.path, { algorithm, protection: "offline" })).repository;
    assert.equal(repository.protection, "offline");
    const importer = repository.objects.importer();
    for (const sizeBytes of SIZES_BYTES) importer.add(Buffer.alloc(sizeBytes, `${sizeBytes} `));
    assert.equal((await importer.finish()).newObjects, SIZES_BYTES.length);
    for (const sizeBytes of SIZES_BYTES) {
      const content = Buffer.alloc(sizeBytes, `${sizeBytes} `);
      const objectId = verityDigest(content, algorithm);
      const file = readFileSync(repository.objects.path(objectId));
      assert.ok(file.subarray(0, sizeBytes).equals(content));
      const metadataOffset = alignUp(sizeBytes, 65536);
      assert.ok(file.subarray(sizeBytes, metadataOffset).every((byte) => byte === 0));
      const blocks = Math.ceil(sizeBytes / 4096);
      let treeBlocks = 0;
      for (let level = blocks; level > 1; ) {
        level = Math.ceil((level * (algorithm === "sha256" ? 32 : 64)) / 4096);
        treeBlocks += level;
      }
      assert.equal(file.length, metadataOffset + (treeBlocks + 1) * 4096);
      const descriptor = readExt4VerityDescriptor(file.subarray(file.length - 4096));
      assert.equal(descriptor.digest, objectId);
      assert.equal(descriptor.sizeBytes, sizeBytes);
      assert.equal(repository.objects.sizeBytes(objectId), sizeBytes);
      assert.ok(repository.objects.read(objectId).equals(content));
      assert.equal(repository.objects.ensure(content), objectId);
    }
  });
}

test("the gap before the metadata is a hole", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, { protection: "offline" })).repository;
  const stat = statSync(repository.objects.path(repository.objects.ensure(Buffer.from("small"))));
  assert.equal(stat.size, 65536 + 4096);
  assert.ok(stat.blocks * 512 <= 4 * 4096, `${stat.blocks} sectors are allocated`);
});

/** The files of a staged repository, which lie where they say. */
function filesOf(repository: Repository) {
  return [...repository.stagedEntries()].flatMap((entry) => {
    if (entry.kind !== "file") return [];
    assert.deepEqual([entry.source, entry.mode], [join(repository.path, entry.path), 0o644]);
    return [{ path: entry.path, sizeBytes: entry.sizeBytes }];
  });
}

test("a staged repository is opened as what it is, and meta.json is text in front of its metadata", async () => {
  using directory = temporaryDirectory();
  (await initRepository(directory.path, { protection: "offline" })).repository.close();
  assert.equal((await initRepository(directory.path, { protection: "offline" })).created, false);
  using repository = await openRepository(directory.path, { offlineVerity: true, algorithm: "sha512" });
  assert.deepEqual(repository.formats, { default: 1, extra: [] });
  assert.deepEqual(filesOf(repository), [{ path: "meta.json", sizeBytes: 219 }]);
  await assert.rejects(openRepository(directory.path), { code: "corrupt" });
});

test("stagedEntries() lists every file with its true size, for the file system that will hold them", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, { algorithm: "sha256", protection: "offline" })).repository;
  const ids = [10, 70_000].map((sizeBytes) => repository.objects.ensure(Buffer.alloc(sizeBytes, 1)));
  const path = (index: number) => join("objects", ids[index]?.slice(0, 2) ?? "", ids[index]?.slice(2) ?? "");
  const expected = [
    { path: path(0), sizeBytes: 10 },
    { path: path(1), sizeBytes: 70_000 },
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  assert.deepEqual(filesOf(repository), [{ path: "meta.json", sizeBytes: 219 }, ...expected]);
});

test("stagedEntries() lists directories before what is in them, and links, of a closed repository too", async () => {
  using directory = temporaryDirectory();
  const { repository } = await initRepository(directory.path, { algorithm: "sha256", protection: "offline" });
  const { objectId } = repository.registerImage(Buffer.from("image"), "os/latest");
  repository.close();
  const [first, rest] = [objectId.slice(0, 2), objectId.slice(2)];
  assert.deepEqual(
    [...repository.stagedEntries()].map(({ kind, path, mode, ...more }) => ({
      entry: `${kind} ${path} ${mode.toString(8)}`,
      ...("target" in more ? { target: more.target } : {}),
    })),
    [
      { entry: "directory images 755" },
      { entry: "file meta.json 644" },
      { entry: "directory objects 755" },
      { entry: `symlink images/${objectId} 777`, target: `../objects/${first}/${rest}` },
      { entry: "directory images/refs 755" },
      { entry: "directory images/refs/os 755" },
      { entry: "symlink images/refs/os/latest 777", target: `../../${objectId}` },
      { entry: `directory objects/${first} 755` },
      { entry: `file objects/${first}/${rest} 644` },
    ],
  );
});

test("stagedEntries() refuses a file without verity metadata, and an object with those of another", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, { algorithm: "sha256", protection: "offline" })).repository;
  const [one, other] = [repository.objects.ensure(Buffer.from("one")), repository.objects.ensure(Buffer.from("other"))];
  copyFileSync(repository.objects.path(other), repository.objects.path(one));
  assert.throws(() => [...repository.stagedEntries()], {
    code: "corrupt",
    message: `Cannot use object ${one}: its verity descriptor has another digest`,
    data: { expected: one, actual: other },
  });
  writeFileSync(repository.objects.path(one), "one");
  assert.throws(() => [...repository.stagedEntries()], {
    code: "corrupt",
    message: "Cannot read a staged object: a length of 3 bytes cannot end with verity metadata",
  });
});
