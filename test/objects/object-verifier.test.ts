/** Objects that a worker reads ahead and checks. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { ObjectVerifier } from "../../src/objects/object-verifier.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { initRepository } from "../../src/repository/index.ts";
import { verityDigest } from "../../src/verity/index.ts";

const directory = temporaryDirectory();
const { repository } = await initRepository(join(directory.path, "repository"), { protection: "insecure" });
after(async () => {
  await repository.workers.close();
  repository.close();
  directory[Symbol.dispose]();
});

/** Around the lengths of a block and of a buffer, an empty one, one of several buffers, and many small ones. */
const BODIES = new Map(
  [1, 4096, 2 ** 20 - 1, 0, 2 ** 20, 2 ** 20 + 1, 4097, 7 * 2 ** 20 + 5, 65, 3 * 2 ** 20, 300_000]
    .map((sizeBytes, index) => Buffer.alloc(sizeBytes, `body ${index}`))
    .concat(Array.from({ length: 9000 }, (_, index) => Buffer.from(`small body ${index}`)))
    .map((body) => [repository.objects.ensure(body), body] as const),
);
const IDS = [...BODIES.keys()];
const [FIRST = "", SECOND = "", THIRD = ""] = IDS;

function newVerifier(): ObjectVerifier {
  return new ObjectVerifier(repository.objects.settings, repository.workers);
}

async function contentOf(pieces: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  assert.ok(pieces !== undefined);
  const copies: Uint8Array[] = [];
  for await (const piece of pieces) copies.push(Uint8Array.from(piece));
  return Buffer.concat(copies);
}

/** Reads all of them, as their bodies are. */
async function readAll(verifier: ObjectVerifier, objectIds: readonly string[]): Promise<void> {
  await verifier.expect(objectIds);
  for (const objectId of objectIds) {
    const isRight = (await contentOf(verifier.chunksOf(objectId))).equals(BODIES.get(objectId) ?? assert.fail());
    assert.ok(isRight, objectId);
  }
}

test("objects of every length and any number are passed on whole, and found good", async () => {
  for (const ids of [IDS, IDS.slice(0, 11), IDS.toReversed(), [FIRST], []]) {
    const verifier = newVerifier();
    await readAll(verifier, ids);
    assert.deepEqual(await verifier.finish(), new Set(ids));
  }
});

test("an object is read ahead once, and only when it is the next one", async () => {
  const verifier = newVerifier();
  assert.equal(verifier.chunksOf(FIRST), undefined);
  await verifier.expect([FIRST, SECOND]);
  assert.equal(verifier.chunksOf(SECOND), undefined);
  await contentOf(verifier.chunksOf(FIRST));
  assert.equal(verifier.chunksOf(FIRST), undefined);
  await contentOf(verifier.chunksOf(SECOND));
  assert.equal(verifier.chunksOf(SECOND), undefined);
  await verifier.expect([SECOND, THIRD, FIRST]);
  assert.equal(verifier.chunksOf(SECOND), undefined);
  await contentOf(verifier.chunksOf(THIRD));
  assert.deepEqual(await verifier.finish(), new Set([FIRST, SECOND, THIRD]));
});

test("a reading that is given up in the middle of an object does not disturb the next", async () => {
  const verifier = newVerifier();
  const large = IDS[7] ?? "";
  await verifier.expect([large, ...IDS.slice(11)]);
  for await (const piece of verifier.chunksOf(large) ?? []) if (piece.length > 0) break;
  await readAll(
    verifier,
    IDS.filter((objectId) => objectId !== large),
  );
  assert.equal((await verifier.finish()).size, IDS.length - 1);
});

test("those before one that cannot be read are passed on, and then comes the reason", async () => {
  for (const count of [0, 1, 2, 5, 8, 11, 6000]) {
    const verifier = newVerifier();
    const gone = verityDigest(Buffer.from("of no object"), "sha512");
    await verifier.expect([...IDS.slice(0, count), gone, ...IDS.slice(count)]);
    for (const objectId of IDS.slice(0, count)) {
      assert.equal((await contentOf(verifier.chunksOf(objectId))).length, BODIES.get(objectId)?.length);
    }
    await assert.rejects(contentOf(verifier.chunksOf(gone)), {
      code: "not-found",
      message: `Cannot read object ${gone}: it is not in the repository`,
    });
    assert.deepEqual(await verifier.finish(), new Set(IDS.slice(0, count)));
  }
});

test("one of other content is passed on as it is, and not found good", async () => {
  const other = verityDigest(Buffer.from("another content"), "sha512");
  repository.objects.ensure(Buffer.from("another content"));
  writeFileSync(repository.objects.path(other), "changed content");
  const verifier = newVerifier();
  await verifier.expect([FIRST, other, SECOND]);
  await contentOf(verifier.chunksOf(FIRST));
  assert.equal(String(await contentOf(verifier.chunksOf(other))), "changed content");
  await contentOf(verifier.chunksOf(SECOND));
  assert.deepEqual(await verifier.finish(), new Set([FIRST, SECOND]));
});
