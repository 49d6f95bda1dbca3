import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { HASH_BYTES, type HashAlgorithm, type MessageHasher } from "../../src/primitives/message-queue.ts";
import { multiBufferHasher } from "../../src/primitives/multi-buffer-hasher.ts";
import { portableHasher } from "../../src/primitives/portable-hasher.ts";

/** Both ways, wherever the machine has both; libraries.test.ts says when it must. */
const found = multiBufferHasher();
const HASHERS: readonly (readonly [string, MessageHasher])[] = [
  ["node:crypto", portableHasher],
  ...(found.native === undefined ? [] : ([[found.name, found.native]] as const)),
];

function pattern(sizeBytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 131 + (at >> 7) * 17 + seed) & 0xff));
}

/** Memory of each kind that callers have: of its own, shared between threads, in the middle of another. */
const MEMORY: readonly ((bytes: Buffer) => Uint8Array)[] = [
  (bytes) => bytes,
  (bytes) => Uint8Array.from(bytes),
  (bytes) => {
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return shared;
  },
  (bytes) => Buffer.concat([Buffer.alloc(13), bytes, Buffer.alloc(5)]).subarray(13, 13 + bytes.length),
];

for (const [name, hasher] of HASHERS) {
  test(`${name}: digests are OpenSSL's for every length up to 300 bytes and around a block`, () => {
    const lengths = [...Array.from({ length: 300 }, (_, index) => index + 1), 4094, 4095, 4096, 4097];
    // Where lanes end to be used, and where the library would be wrong.
    lengths.push(16_383, 16_384, 16_385, 65_535, 65_536, 131_072);
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const lengthBytes of lengths) {
        const messages = pattern(lengthBytes * 9, lengthBytes);
        assert.deepEqual(
          digestsBy(hasher, algorithm, lengthBytes, messages),
          expected(algorithm, lengthBytes, messages),
        );
      }
    }
  });

  test(`${name}: any number of messages, in several parts, from memory of every kind`, () => {
    const part = fc.record({
      count: fc.integer({ min: 0, max: 300 }),
      skip: fc.nat(9),
      memory: fc.nat(MEMORY.length - 1),
    });
    const parts = fc.array(part, { minLength: 1, maxLength: 5 });
    const algorithms = fc.constantFrom<HashAlgorithm>("sha256", "sha512");
    fc.assert(
      fc.property(algorithms, fc.integer({ min: 1, max: 5000 }), parts, (algorithm, lengthBytes, cuts) => {
        const digestBytes = HASH_BYTES[algorithm];
        const target = Buffer.alloc(cuts.reduce((sum, { count }) => sum + count, 0) * digestBytes + 7, 0xee);
        const wanted: Buffer[] = [];
        hasher(algorithm, lengthBytes, (queue) => {
          for (const [index, { count, skip, memory }] of cuts.entries()) {
            const bytes = pattern(skip + count * lengthBytes, index);
            const source = MEMORY[memory]?.(bytes) ?? bytes;
            queue.add(source, skip, count, target, Buffer.concat(wanted).length);
            wanted.push(expected(algorithm, lengthBytes, bytes.subarray(skip)));
          }
        });
        assert.deepEqual(target, Buffer.concat([...wanted, Buffer.alloc(7, 0xee)]));
      }),
      { numRuns: 60 },
    );
  });

  test(`${name}: messages and digests outside of their memory are refused, and nothing is written`, () => {
    const source = pattern(1000, 1);
    const target = Buffer.alloc(128, 0xee);
    for (const [offset, count, targetOffset] of [
      [1, 10, 0],
      [-1, 1, 0],
      [0, 11, 0],
      [0, 2, 65],
      [0, 2, -1],
      [0, -1, 0],
    ] as const) {
      const add = () => hasher("sha512", 100, (queue) => queue.add(source, offset, count, target, targetOffset));
      assert.throws(add, RangeError);
    }
    assert.deepEqual(target, Buffer.alloc(128, 0xee));
  });

  test(`${name}: after a caller that throws in the middle the next one gets its digests`, () => {
    const messages = pattern(400 * 100, 3);
    const target = Buffer.alloc(400 * 64);
    const broken = () =>
      hasher("sha512", 100, (queue) => {
        queue.add(messages, 0, 200, target, 0);
        throw new Error("of the caller");
      });
    assert.throws(broken, { message: "of the caller" });
    const copy = Buffer.from(target);
    assert.deepEqual(digestsBy(hasher, "sha512", 100, messages), expected("sha512", 100, messages));
    // Nothing of the broken call is written later.
    assert.deepEqual(target, copy);
  });
}

function digestsBy(hasher: MessageHasher, algorithm: HashAlgorithm, lengthBytes: number, messages: Buffer): Buffer {
  const count = Math.floor(messages.length / lengthBytes);
  const target = Buffer.alloc(count * HASH_BYTES[algorithm]);
  hasher(algorithm, lengthBytes, (queue) => queue.add(messages, 0, count, target, 0));
  return target;
}

function expected(algorithm: HashAlgorithm, lengthBytes: number, messages: Buffer): Buffer {
  const count = Math.floor(messages.length / lengthBytes);
  return Buffer.concat(
    Array.from({ length: count }, (_, index) =>
      hash(algorithm, messages.subarray(index * lengthBytes, (index + 1) * lengthBytes), "buffer"),
    ),
  );
}
