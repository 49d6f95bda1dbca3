import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { checkRepository, collectGarbage, initRepository } from "../../src/repository/index.ts";

const INSECURE = { protection: "insecure", algorithm: "sha256" } as const;
const ID = "ab".repeat(32);
const OTHER_ID = "cd".repeat(32);

test("derived files are below sealroot/, come back, and go with their object", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(join(directory.path, "r"), INSECURE)).repository;
  const files = repository.derivedFiles("kind");
  assert.equal(files.read(ID, 100), undefined);
  files.keepOnly(new Set());
  files.write(ID, Buffer.from("one"));
  files.write(ID, Buffer.from("two"));
  files.write(OTHER_ID, Buffer.from("other"));
  const path = join(repository.path, "sealroot/kind");
  assert.deepEqual(readdirSync(path), [ID, OTHER_ID]);
  assert.deepEqual(files.read(ID, 3), Buffer.from("two"));
  assert.equal(files.read(ID, 2), undefined);
  writeFileSync(join(path, "not-ours"), "");
  files.keepOnly(new Set([OTHER_ID]));
  assert.deepEqual(readdirSync(path), [OTHER_ID, "not-ours"]);
});

test("a derived file is named by an object's id and nothing else; a link is not followed", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(join(directory.path, "r"), INSECURE)).repository;
  const files = repository.derivedFiles("kind");
  for (const name of ["../meta.json", "", ID.toUpperCase(), `${ID}00`]) {
    assert.throws(() => files.write(name, Buffer.alloc(1)), { code: "usage" });
    assert.throws(() => files.read(name, 1), { code: "usage" });
  }
  files.write(ID, Buffer.from("one"));
  const path = join(repository.path, "sealroot/kind", OTHER_ID);
  symlinkSync(join(repository.path, "meta.json"), path);
  assert.equal(files.read(OTHER_ID, 1000), undefined);
  const meta = readFileSync(join(repository.path, "meta.json"));
  files.write(OTHER_ID, Buffer.from("replaced"));
  assert.deepEqual(readFileSync(join(repository.path, "meta.json")), meta);
  rmSync(join(repository.path, "sealroot"), { recursive: true });
  symlinkSync(directory.path, join(repository.path, "sealroot"));
  assert.throws(() => files.read(ID, 100), { code: "corrupt" });
  assert.throws(() => files.keepOnly(new Set()), { code: "corrupt" });
});

test("contents are hashed in batches; objects that are not there are left out", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(join(directory.path, "r"), INSECURE)).repository;
  const bodies = Array.from({ length: 600 }, (_, index) =>
    Buffer.alloc(index === 5 ? 9 << 20 : 100 + index, `${index} `),
  );
  const objects = bodies.map((body) => ({ objectId: repository.objects.ensure(body), sizeBytes: body.length }));
  const done: number[] = [];
  const digests = await repository.objects.contentDigests([...objects, { objectId: ID, sizeBytes: 1 }], (bytes) =>
    done.push(bytes),
  );
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const expected = bodies.map((body, index) => [objects[index]?.objectId ?? "", sha256(body)] as const);
  assert.deepEqual(new Map([...digests].sort()), new Map(expected.toSorted()));
  assert.equal(
    done.at(-1),
    bodies.reduce((sum, { length }) => sum + length, 1),
  );
  assert.ok(done.length > 2);
});

test("what a killed writer left is collected, a link to elsewhere is not followed", async () => {
  using directory = temporaryDirectory();
  using repository = (await initRepository(join(directory.path, "r"), INSECURE)).repository;
  repository.derivedFiles("kind").write(ID, Buffer.from("one"));
  const leftover = `sealroot/kind/.${OTHER_ID}.0123456789ab`;
  writeFileSync(join(repository.path, leftover), "half");
  const elsewhere = join(directory.path, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, `.${OTHER_ID}.0123456789ab`), "not ours");
  symlinkSync(elsewhere, join(repository.path, "sealroot/link"));
  assert.deepEqual((await checkRepository(repository)).leftovers, [{ kind: "leftover", path: leftover }]);
  await collectGarbage(repository);
  assert.deepEqual(readdirSync(join(repository.path, "sealroot/kind")), [ID]);
  assert.equal(readdirSync(elsewhere).length, 1);
});
