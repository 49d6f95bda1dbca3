/** Objects that a check reads once, for the stream they are in and for themselves. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import { checkRepository, findingText, initRepository, type Repository } from "../../../src/repository/index.ts";
import { SplitStreamWriter } from "../../../src/splitstream/index.ts";
import { verityDigest } from "../../../src/verity/index.ts";

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
let made = 0;

/** Around the lengths of a block and of what is read at a time; the first is there twice, the second lasts. */
const BODIES = [5000, 1, 4096, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 - 7, 65].map((sizeBytes, index) =>
  Buffer.alloc(sizeBytes, `body ${index}`),
);

/** A repository with two streams of a stated digest over the same objects, and an object that is in none. */
async function newRepository(): Promise<{ repository: Repository; objectIds: string[]; otherId: string }> {
  const path = join(directory.path, `repository-${made++}`);
  const { repository } = await initRepository(path, { algorithm: "sha512", protection: "insecure" });
  const objectIds = BODIES.map((body) => repository.objects.ensure(body));
  for (const order of [BODIES, [...BODIES, BODIES[0] as Buffer].toReversed()]) {
    const writer = new SplitStreamWriter("sha512", "ocilayer");
    const hash = createHash("sha256");
    for (const body of order) {
      writer.external(verityDigest(body, "sha512"), body.length);
      hash.update(body);
    }
    const objectId = repository.objects.ensure(await writer.finish());
    repository.streams.register([{ entry: `oci-layer-sha256:${hash.digest("hex")}`, objectId }]);
  }
  return { repository, objectIds, otherId: repository.objects.ensure(Buffer.alloc(300, "other")) };
}

function damage(path: string, at: number): void {
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.of(0xff), 0, 1, at);
  closeSync(fd);
}

async function errorsOf(repository: Repository): Promise<string[]> {
  return (await checkRepository(repository)).errors.map(({ kind, path }) => `${kind} ${path}`);
}

function pathOf(objectId: string): string {
  return `objects/${objectId.slice(0, 2)}/${objectId.slice(2)}`;
}

test("objects of every length are found good while their streams are read", async () => {
  const { repository, objectIds } = await newRepository();
  using _ = repository;
  const report = await checkRepository(repository);
  assert.deepEqual(report.errors.map(findingText), []);
  assert.equal(report.objectsChecked, objectIds.length + 3);
  assert.equal(report.streamsChecked, 2);
});

test("a changed byte in any object is found, with the streams that it is in", async () => {
  for (const [index, body] of BODIES.entries()) {
    const { repository, objectIds } = await newRepository();
    using _ = repository;
    const objectId = objectIds[index] ?? "";
    damage(repository.objects.path(objectId), body.length - 1);
    const errors = await errorsOf(repository);
    const [object, ...streams] = errors;
    assert.equal(object, `object-digest-mismatch ${pathOf(objectId)}`);
    assert.deepEqual(
      streams.map((line) => line.split(" ")[0]),
      ["stream-content-mismatch", "stream-content-mismatch"],
    );
  }
});

test("a shortened object is found, and those after it in the stream are checked nevertheless", async () => {
  const { repository, objectIds, otherId } = await newRepository();
  using _ = repository;
  const [first = "", , , , , large = "", last = ""] = objectIds;
  truncateSync(repository.objects.path(large), 2 ** 20 + 5);
  for (const objectId of [first, last, otherId]) damage(repository.objects.path(objectId), 7);
  const expected = [first, large, last, otherId].map((id) => `object-digest-mismatch ${pathOf(id)}`).sort();
  const errors = await errorsOf(repository);
  assert.deepEqual(errors.slice(0, 4), expected);
  assert.equal(errors.length, 6);
});

test("without their contents, as cfsctl checks, a stream of another content passes and a damaged object does not", async () => {
  const { repository, objectIds } = await newRepository();
  using _ = repository;
  const writer = new SplitStreamWriter("sha512", "ocilayer");
  writer.external(objectIds[1] ?? "", 1);
  const objectId = repository.objects.ensure(await writer.finish());
  repository.streams.register([{ entry: `oci-layer-sha256:${"0".repeat(64)}`, objectId }]);
  assert.deepEqual(await errorsOf(repository), [`stream-content-mismatch streams/oci-layer-sha256:${"0".repeat(64)}`]);
  const likeCfsctl = { withoutStreamContents: true };
  const report = await checkRepository(repository, likeCfsctl);
  assert.deepEqual(report.errors, []);
  assert.deepEqual([report.objectsChecked, report.streamsChecked], [objectIds.length + 4, 3]);
  const damaged = pathOf(objectIds[0] ?? "");
  damage(join(repository.path, damaged), 4999);
  const { errors } = await checkRepository(repository, likeCfsctl);
  assert.deepEqual(
    errors.map(({ kind, path }) => [kind, path]),
    [["object-digest-mismatch", damaged]],
  );
});
