import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, readlinkSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ObjectDraft } from "../../src/objects/object-draft.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { initRepository, openRepository } from "../../src/repository/index.ts";
import { verityDigest } from "../../src/verity/index.ts";

const INSECURE = { protection: "insecure", algorithm: "sha256" } as const;

test("init writes the reference's meta.json and permissions", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "deep", "er", "repo");
  const { repository, created } = await initRepository(path, { protection: "insecure" });
  repository.close();
  assert.equal(created, true);
  assert.equal(
    readFileSync(join(path, "meta.json"), "utf8"),
    `{
  "version": 1,
  "algorithm": "fsverity-sha512-12",
  "features": {
    "compatible": [],
    "read-only-compatible": [
      "v1_erofs"
    ],
    "incompatible": []
  },
  "erofs_formats": {
    "default": 1
  }
}
`,
  );
  assert.equal(lstatSync(path).mode & 0o7777, 0o700);
  assert.equal(lstatSync(join(path, "meta.json")).mode & 0o7777, 0o644);
  assert.deepEqual(readdirSync(path), ["meta.json"]);
});

test("init again with the same settings is fine and with others a conflict", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "repo");
  (await initRepository(path, INSECURE)).repository.close();
  const again = await initRepository(path, INSECURE);
  again.repository.close();
  assert.equal(again.created, false);
  await assert.rejects(initRepository(path, { ...INSECURE, erofsVersion: 2 }), {
    code: "conflict",
    message: `Cannot initialize repository ${path}: it exists with fsverity-sha256-12, EROFS version 1, not with fsverity-sha256-12, EROFS version 2`,
  });
  (await initRepository(path, { ...INSECURE, erofsVersion: 2, ensure: true })).repository.close();
  await assert.rejects(initRepository(path, { ...INSECURE, algorithm: "sha512", ensure: true }), { code: "conflict" });
});

test("reset deletes names and settings and keeps objects", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "repo");
  const first = (await initRepository(path, INSECURE)).repository;
  const objectId = first.objects.ensure(Buffer.from("content"));
  first.streams.register([{ entry: "some-stream", objectId }]);
  first.close();
  const reset = await initRepository(path, { ...INSECURE, erofsVersion: 2, resetMetadata: true });
  assert.equal(reset.created, true);
  assert.equal(reset.repository.streams.find("some-stream"), undefined);
  assert.equal(reset.repository.objects.read(objectId).toString(), "content");
  reset.repository.close();
});

test("where the file system has no fs-verity, a secure init fails and leaves no settings", async (t) => {
  using directory = temporaryDirectory({ parent: "/dev/shm" });
  const path = join(directory.path, "repo");
  await assert.rejects(initRepository(path), {
    code: "unsupported",
    message: `Cannot initialize repository ${path}: the file system does not support fs-verity`,
  });
  assert.deepEqual(readdirSync(path), []);
  t.diagnostic("the secure side is tested in the guest (test/guest)");
});

test("objects are stored under their fs-verity digest, once", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  const bytes = Buffer.from("x".repeat(5000));
  const objectId = repository.objects.ensure(bytes);
  assert.equal(objectId, verityDigest(bytes, "sha256"));
  const path = join(directory.path, "objects", objectId.slice(0, 2), objectId.slice(2));
  const inode = lstatSync(path).ino;
  assert.equal(lstatSync(path).mode & 0o777, 0o666 & 0o644 & ~process.umask());
  repository.objects.ensure(bytes);
  assert.equal(lstatSync(path).ino, inode);
  const draft = new ObjectDraft(repository.objects.settings);
  draft.write(bytes.subarray(0, 4999));
  draft.write(bytes.subarray(4999));
  assert.deepEqual(draft.finish(), { objectId, sizeBytes: 5000, isNew: false });
  assert.deepEqual(repository.objects.read(objectId), bytes);
  assert.equal(repository.objects.sizeBytes(objectId), 5000);
  assert.deepEqual([...repository.objects.entries()], [{ objectId, path, kind: "file" }]);
  assert.throws(() => repository.objects.read("0".repeat(64)), { code: "not-found" });
  assert.throws(() => repository.objects.read("../../etc/passwd"), { code: "usage" });
});

test("an object that a power cut left short is replaced when its content comes again", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  const objectId = repository.objects.ensure(Buffer.from("some content"));
  truncateSync(repository.objects.path(objectId), 0);
  assert.equal(repository.objects.ensure(Buffer.from("some content")), objectId);
  assert.equal(repository.objects.read(objectId).toString(), "some content");
  assert.equal([...repository.objects.entries()].length, 1);
});

test("the importer stores small and large objects in parallel and reports them", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  const contents = [
    ...Array.from({ length: 300 }, (_, index) => Buffer.alloc(1000 + index * 37, index)),
    Buffer.alloc(3 << 20, 1),
    Buffer.alloc(3 << 20, 1),
    Buffer.alloc(0),
  ];
  const importer = repository.objects.importer();
  const ids: Promise<string>[] = [];
  for (const content of contents) {
    ids.push(importer.add(content));
    await importer.room();
  }
  const sink = importer.open();
  for (let at = 0; at < 10; at++) sink.write(Buffer.alloc(500_000, at));
  ids.push(sink.finish());
  const statistics = await importer.finish();
  const expected = [...contents, Buffer.concat(Array.from({ length: 10 }, (_, at) => Buffer.alloc(500_000, at)))];
  assert.deepEqual(
    await Promise.all(ids),
    expected.map((content) => verityDigest(content, "sha256")),
  );
  assert.equal(statistics.newObjects + statistics.presentObjects, expected.length);
  assert.equal(statistics.newObjects, expected.length - 1);
  for (const content of expected) {
    assert.ok(repository.objects.read(verityDigest(content, "sha256")).equals(content));
  }
});

test("an importer's failure is reported by finish() and by the object's promise", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  writeFileSync(join(directory.path, "objects"), "in the way");
  const importer = repository.objects.importer();
  const small = importer.add(Buffer.from("small"));
  const sink = importer.open();
  sink.write(Buffer.alloc(100));
  const large = sink.finish();
  await assert.rejects(importer.finish(), { code: /exists|not-found/ });
  await assert.rejects(small);
  await assert.rejects(large);
});

test("links and references are written and replaced as the reference does", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  const [one, two] = [repository.objects.ensure(Buffer.from("1")), repository.objects.ensure(Buffer.from("2"))];
  repository.streams.register([{ entry: "oci-layer-sha256:abc", objectId: one }]);
  repository.streams.setReference("oci/name:tag", "oci-layer-sha256:abc");
  repository.streams.setReference("plain", "oci-layer-sha256:abc");
  const link = (path: string) => readlinkSync(join(directory.path, path));
  assert.equal(link("streams/oci-layer-sha256:abc"), `../objects/${one.slice(0, 2)}/${one.slice(2)}`);
  assert.equal(link("streams/refs/oci/name:tag"), "../../oci-layer-sha256:abc");
  assert.equal(link("streams/refs/plain"), "../oci-layer-sha256:abc");
  repository.streams.register([{ entry: "oci-layer-sha256:abc", objectId: two }]);
  assert.equal(repository.streams.find("oci-layer-sha256:abc"), two);
  assert.deepEqual(repository.streams.resolve("refs/oci/name:tag"), { entry: "oci-layer-sha256:abc", objectId: two });
  assert.deepEqual(repository.streams.references(), [
    { name: "oci/name:tag", entry: "oci-layer-sha256:abc" },
    { name: "plain", entry: "oci-layer-sha256:abc" },
  ]);
  assert.deepEqual(repository.streams.references("oci"), [{ name: "oci/name:tag", entry: "oci-layer-sha256:abc" }]);
  assert.equal(repository.streams.removeReference("plain"), true);
  assert.equal(repository.streams.removeReference("plain"), false);
  assert.deepEqual(readdirSync(directory.path).sort(), ["meta.json", "objects", "streams"]);
  const image = repository.registerImage(Buffer.from("image"), "my/img");
  assert.equal(link("images/refs/my/img"), `../../${image.entry}`);
  assert.deepEqual(repository.images.entries(), [image]);
});

test("unsafe names are refused and a dangling reference cannot be made", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  const objectId = repository.objects.ensure(Buffer.from("1"));
  for (const name of ["", "..", "a/../../b", "/abs", "a//b", "a/", ".", "nul\0", "x".repeat(256)]) {
    assert.throws(() => repository.streams.setReference(name, "entry"), { code: "usage" }, name);
  }
  for (const entry of ["", "..", "a/b", "refs"]) {
    assert.throws(() => repository.streams.register([{ entry, objectId }]), { code: "usage" }, entry);
  }
  assert.throws(() => repository.streams.setReference("name", "absent"), {
    code: "not-found",
    message: "Cannot name streams/absent: it is not in the repository",
  });
});

test("what is not a link to an object is called corrupt", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(directory.path, INSECURE)).repository;
  repository.streams.register([]);
  const objectId = repository.objects.ensure(Buffer.from("1"));
  repository.streams.register([{ entry: "good", objectId }]);
  symlinkSync("/etc/passwd", join(directory.path, "streams", "bad"));
  writeFileSync(join(directory.path, "streams", "file"), "");
  assert.throws(() => repository.streams.find("bad"), {
    code: "corrupt",
    message: "Cannot read streams/bad: the link does not lead to an object",
  });
  assert.throws(() => repository.streams.find("file"), {
    code: "corrupt",
    message: "Cannot read streams/file: it is not a symbolic link",
  });
  assert.deepEqual(repository.streams.entries(), [{ entry: "good", objectId }]);
});

test("opening checks settings and the lock is shared between readers", async () => {
  using directory = temporaryDirectory();
  await assert.rejects(openRepository(join(directory.path, "absent")), { code: "not-found" });
  await assert.rejects(openRepository(directory.path), {
    code: "not-found",
    message: `Cannot open repository ${directory.path}: it has no meta.json and must be initialized`,
  });
  (await initRepository(directory.path, INSECURE)).repository.close();
  await assert.rejects(openRepository(directory.path, { algorithm: "sha512" }), { code: "conflict" });
  await assert.rejects(openRepository(directory.path, { requireVerity: true }), { code: "untrusted" });
  using one = await openRepository(directory.path);
  using two = await openRepository(directory.path, { erofsVersion: 2 });
  assert.deepEqual(two.formats, { default: 2, extra: [] });
  assert.equal(await one.lock("exclusive", 10), false);
  two.close();
  assert.equal(await one.lock("exclusive", 1000), true);
});

test("a repository with unknown read-only features can be read and not written", async () => {
  using directory = temporaryDirectory();
  const first = (await initRepository(directory.path, INSECURE)).repository;
  const objectId = first.objects.ensure(Buffer.from("content"));
  first.close();
  const meta = join(directory.path, "meta.json");
  writeFileSync(meta, readFileSync(meta, "utf8").replace('"v1_erofs"', '"v1_erofs", "later"'));
  using repository = await openRepository(directory.path);
  assert.equal(repository.objects.read(objectId).toString(), "content");
  const message = `Cannot write to repository ${directory.path}: it has unknown read-only-compatible features: ["later"]`;
  assert.throws(() => repository.objects.ensure(Buffer.from("more")), { code: "unsupported", message });
  assert.throws(() => repository.streams.register([]), { code: "unsupported", message });
});
