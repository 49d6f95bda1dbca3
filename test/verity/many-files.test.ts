/** With and without a library that hashes many blocks at once: test/primitives/both-paths.test.ts runs this twice. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../src/bytes/index.ts";
import {
  BLOCK_SIZE_BYTES,
  DIGEST_BYTES,
  type VerityAlgorithm,
  VerityHasher,
  verityDescriptor,
  verityDigests,
} from "../../src/verity/index.ts";

const CONTENT = Buffer.from(Uint8Array.from({ length: 3 << 20 }, (_, at) => (at * 7 + (at >> 9) + (at >> 17)) & 0xff));

/** The definition of spec/erofs.md 5.1, one block after the other. */
function digestByDefinition(data: Uint8Array, algorithm: VerityAlgorithm): string {
  let level: Uint8Array = data;
  do {
    const hashes: Uint8Array[] = [];
    for (let at = 0; at < level.length; at += BLOCK_SIZE_BYTES) {
      const block = Buffer.alloc(BLOCK_SIZE_BYTES);
      block.set(level.subarray(at, at + BLOCK_SIZE_BYTES));
      hashes.push(hash(algorithm, block, "buffer"));
    }
    level = Buffer.concat(hashes);
  } while (level.length > DIGEST_BYTES[algorithm]);
  const root = data.length === 0 ? new Uint8Array(DIGEST_BYTES[algorithm]) : level;
  return toHex(hash(algorithm, verityDescriptor(algorithm, data.length, root), "buffer"));
}

for (const algorithm of ["sha256", "sha512"] as const) {
  test(`verityDigests() of files of every length from 0 to 3 blocks, ${algorithm}`, () => {
    for (let first = 0; first <= 3 * BLOCK_SIZE_BYTES; first += 128) {
      const sizesBytes = Array.from({ length: 129 }, (_, index) => first + index);
      let start = 0;
      const expected = sizesBytes.map((sizeBytes) => {
        start += sizeBytes;
        return digestByDefinition(CONTENT.subarray(start - sizeBytes, start), algorithm);
      });
      assert.deepEqual(verityDigests(CONTENT, sizesBytes, algorithm), expected);
    }
  });
}

test("property: verityDigests() of any files, of one level and of several, is the digest of each", () => {
  const size = fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(700_000), fc.constantFrom(262_144, 524_288, 524_289, 0));
  const algorithms = fc.constantFrom<VerityAlgorithm>("sha256", "sha512");
  fc.assert(
    fc.property(algorithms, fc.array(size, { maxLength: 12 }), (algorithm, sizes) => {
      const sizesBytes = sizes.filter(
        (_, index) => sizes.slice(0, index + 1).reduce((a, b) => a + b, 0) <= CONTENT.length,
      );
      let start = 0;
      const expected = sizesBytes.map((sizeBytes) => {
        start += sizeBytes;
        return digestByDefinition(CONTENT.subarray(start - sizeBytes, start), algorithm);
      });
      assert.deepEqual(verityDigests(CONTENT, sizesBytes, algorithm), expected);
    }),
    { numRuns: 25 },
  );
});

test("verityDigests() reads shared memory, and what follows the files does not count", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(100_000)).fill(7);
  const content = new Uint8Array(50_000).fill(7);
  assert.deepEqual(verityDigests(shared, [50_000], "sha512"), [digestByDefinition(content, "sha512")]);
  assert.deepEqual(verityDigests(shared, [], "sha512"), []);
});

test("VerityHasher agrees with the definition where levels fill up: 1024 blocks, 65,536 blocks, and one more or less", () => {
  // A level is hashed when it has 16 blocks of digests: 1024 of SHA-512, 2048 of SHA-256.
  for (const [algorithm, blocks] of [
    ["sha512", 1023],
    ["sha512", 1024],
    ["sha512", 1025],
    ["sha512", 65_536],
    ["sha256", 2048],
    ["sha256", 2049],
  ] as const) {
    const data = Buffer.alloc(blocks * BLOCK_SIZE_BYTES, CONTENT.subarray(0, 10_007));
    const hasher = new VerityHasher(algorithm);
    for (let at = 0; at < data.length; at += 1 << 20) hasher.update(data.subarray(at, at + (1 << 20)));
    assert.equal(hasher.hexDigest(), digestByDefinition(data, algorithm), `${blocks} blocks, ${algorithm}`);
  }
});
