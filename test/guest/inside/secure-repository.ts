/** A repository on a file system with fs-verity: the kernel vouches for every object, and what it does not vouch for is refused. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { toHex } from "../../../src/bytes/index.ts";
import { ObjectDraft } from "../../../src/objects/object-draft.ts";
import { enableVerity, measureVerity, readVerityMetadata, runTool } from "../../../src/platform/index.ts";
import {
  checkRepository,
  initRepository,
  openRepository,
  repairRepository,
  scanDirectory,
} from "../../../src/repository/index.ts";
import { ALGORITHM_NUMBER, readVerityDescriptor, verityDigest } from "../../../src/verity/index.ts";

const ALGORITHMS = ["sha256", "sha512"] as const;
const SIZES_BYTES = [0, 1, 64, 65, 4095, 4096, 4097, 128 * 4096, 128 * 4096 + 1, 1 << 20];

let last = 0;
function newPath(): string {
  return `/scratch/secure-${++last}`;
}

test("the kernel measures the digest we compute, for both algorithms and all sizes", () => {
  const directory = newPath();
  mkdirSync(directory);
  for (const algorithm of ALGORITHMS) {
    for (const sizeBytes of SIZES_BYTES) {
      const path = join(directory, `${algorithm}-${sizeBytes}`);
      const bytes = Buffer.alloc(sizeBytes, "some content ");
      writeFileSync(path, bytes);
      const fd = openSync(path, "r");
      assert.deepEqual(measureVerity(fd), { state: "disabled" });
      enableVerity(fd, ALGORITHM_NUMBER[algorithm]);
      assert.throws(() => enableVerity(fd, ALGORITHM_NUMBER[algorithm]), { code: "EEXIST" });
      const measured = measureVerity(fd);
      assert.ok(measured.state === "enabled");
      assert.equal(measured.algorithmNumber, ALGORITHM_NUMBER[algorithm]);
      assert.equal(toHex(measured.digest), verityDigest(bytes, algorithm));
      const descriptor = readVerityDescriptor(readVerityMetadata(fd, "descriptor", 0, 256));
      assert.equal(descriptor.sizeBytes, sizeBytes);
      assert.equal(descriptor.digest, toHex(measured.digest));
      closeSync(fd);
    }
  }
});

test("enabling is refused while a writer has the file open", () => {
  const path = newPath();
  writeFileSync(path, "content");
  const writer = openSync(path, "r+");
  const reader = openSync(path, "r");
  assert.throws(() => enableVerity(reader, 1), { code: "ETXTBSY" });
  closeSync(writer);
  enableVerity(reader, 1);
  closeSync(reader);
});

test("a secure init puts fs-verity on meta.json, which makes the repository secure for whoever opens it", async () => {
  for (const algorithm of ALGORITHMS) {
    const path = newPath();
    const { repository } = await initRepository(path, { algorithm });
    assert.equal(repository.protection, "secure");
    repository.close();
    assert.throws(() => writeFileSync(join(path, "meta.json"), "{}"), { code: "EPERM" });
    using again = await openRepository(path, { requireVerity: true });
    assert.equal(again.protection, "secure");
    using insecure = await openRepository(path, { insecure: true });
    assert.equal(insecure.protection, "insecure");
  }
});

test("a meta.json without fs-verity makes a repository insecure, and verity can be demanded", async () => {
  const path = newPath();
  (await initRepository(path, { protection: "insecure" })).repository.close();
  await assert.rejects(openRepository(path, { requireVerity: true }), {
    code: "untrusted",
    message: `Cannot open repository ${path}: its meta.json has no fs-verity`,
  });
});

test("a secure init on a file system without fs-verity is refused", async () => {
  mkdirSync("/run/plain", { recursive: true });
  await assert.rejects(initRepository("/run/plain/repository"), {
    code: "unsupported",
    message: "Cannot initialize repository /run/plain/repository: the file system does not support fs-verity",
  });
  assert.deepEqual(readdirSync("/run/plain/repository"), []);
});

test("every object of a secure repository has fs-verity, however it was stored", async () => {
  for (const algorithm of ALGORITHMS) {
    using repository = (await initRepository(newPath(), { algorithm })).repository;
    const contents = SIZES_BYTES.map((sizeBytes) => Buffer.alloc(sizeBytes, `${algorithm} `));
    const importer = repository.objects.importer();
    const ids = contents.map((content) => importer.add(content));
    const sink = importer.open();
    for (let part = 0; part < 4; part++) sink.write(Buffer.alloc(700_000, part));
    ids.push(sink.finish());
    await importer.finish();
    const draft = new ObjectDraft(repository.objects.settings);
    draft.write(Buffer.from("by draft"));
    const all = [...(await Promise.all(ids)), draft.finish().objectId, repository.objects.ensure(Buffer.from("small"))];
    for (const objectId of all) {
      const fd = openSync(repository.objects.path(objectId), "r");
      const measured = measureVerity(fd);
      closeSync(fd);
      assert.ok(measured.state === "enabled");
      assert.equal(toHex(measured.digest), objectId);
      assert.equal(repository.objects.ensure(repository.objects.read(objectId)), objectId);
    }
  }
});

test("objects are stored while children are being started, which hold descriptors until they call exec", async () => {
  using repository = (await initRepository(newPath(), { algorithm: "sha256" })).repository;
  const children = Array.from({ length: 10 }, () => spawn("/bin/true"));
  for (let number = 0; number < 60; number++) {
    repository.objects.ensure(Buffer.from(`object ${number}`));
    if (number % 6 === 0) children.push(spawn("/bin/true"));
  }
  await Promise.all(children.map((child) => new Promise((resolve) => child.once("close", resolve))));
});

test("an object without fs-verity, or with other content, is refused when read and when stored again", async () => {
  using repository = (await initRepository(newPath(), { algorithm: "sha256" })).repository;
  const bytes = Buffer.from("the true content");
  const objectId = repository.objects.ensure(bytes);
  const path = repository.objects.path(objectId);
  const forge = (content: string, withVerity: boolean) => {
    const forged = join(dirname(path), "forged");
    writeFileSync(forged, content);
    if (withVerity) {
      const fd = openSync(forged, "r");
      enableVerity(fd, ALGORITHM_NUMBER.sha256);
      closeSync(fd);
    }
    renameSync(forged, path);
  };
  forge("the true content", false);
  const without = {
    code: "untrusted",
    message: `Cannot use object ${objectId}: it has no fs-verity, which this repository requires`,
  };
  assert.throws(() => repository.objects.read(objectId), without);
  assert.throws(() => repository.objects.ensure(bytes), without);
  forge("the fake content", true);
  const other = {
    code: "untrusted",
    message: `Cannot use object ${objectId}: the kernel measures another digest, ${verityDigest(Buffer.from("the fake content"), "sha256")}`,
  };
  assert.throws(() => repository.objects.read(objectId), other);
  assert.throws(() => repository.objects.ensure(bytes), other);
});

test("an insecure repository uses fs-verity where it is, and adds it to objects that lack it", async () => {
  using repository = (await initRepository(newPath(), { algorithm: "sha256", protection: "insecure" })).repository;
  const objectId = repository.objects.ensure(Buffer.from("first"));
  const measure = (id: string) => {
    const fd = openSync(repository.objects.path(id), "r");
    try {
      return measureVerity(fd).state;
    } finally {
      closeSync(fd);
    }
  };
  assert.equal(measure(objectId), "enabled");
  const later = verityDigest(Buffer.from("later"), "sha256");
  mkdirSync(dirname(repository.objects.path(later)), { recursive: true });
  writeFileSync(repository.objects.path(later), "later");
  assert.equal(repository.objects.read(later).toString(), "later");
  assert.equal(measure(later), "disabled");
  repository.objects.ensure(Buffer.from("later"));
  assert.equal(measure(later), "enabled");
});

test("an old repository whose objects have fs-verity becomes a secure one", async () => {
  const path = newPath();
  const { repository } = await initRepository(path, { algorithm: "sha256" });
  repository.objects.ensure(Buffer.from("an object"));
  repository.close();
  await runTool("rm", [join(path, "meta.json")]);
  using upgraded = await openRepository(path);
  assert.equal(upgraded.protection, "secure");
  assert.equal(upgraded.algorithm, "sha256");
  assert.ok(lstatSync(join(path, "meta.json")).isFile());
});

test("with links asked for, a file becomes an object by a second name and cannot be written again", async () => {
  const path = newPath();
  const root = `${path}-root`;
  mkdirSync(root);
  const file = join(root, "file");
  writeFileSync(file, Buffer.alloc(5000, "linked "));
  using repository = (await initRepository(path, { algorithm: "sha256" })).repository;
  const scanned = await scanDirectory(root, { algorithm: "sha256", repository, linkFiles: true });
  assert.deepEqual([scanned.newObjects, scanned.sharedObjects], [1, 1]);
  assert.equal(lstatSync(file).nlink, 2);
  assert.throws(() => writeFileSync(file, "other"), { code: "EPERM" });
  assert.deepEqual((await checkRepository(repository)).errors, []);
});

test("a repair gives fs-verity to an object that lacks it, and removes one with other content", async () => {
  using repository = (await initRepository(newPath(), { algorithm: "sha256" })).repository;
  const path = repository.objects.path(repository.objects.ensure(Buffer.from("content")));
  const name = path.slice(repository.path.length + 1);
  for (const content of ["content", "another"]) {
    const forged = join(dirname(path), "forged");
    writeFileSync(forged, content);
    renameSync(forged, path);
    const report = await repairRepository(repository);
    assert.deepEqual(report.after.errors, []);
    assert.deepEqual([report.protected, report.removed], content === "content" ? [[name], []] : [[], [name]]);
  }
});
