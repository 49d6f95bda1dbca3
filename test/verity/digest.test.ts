import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/bytes/index.ts";
import {
  BLOCK_SIZE_BYTES,
  DIGEST_BYTES,
  ext4VerityOffset,
  ext4VerityTail,
  readExt4VerityDescriptor,
  readVerityDescriptor,
  type VerityAlgorithm,
  VerityHasher,
  verityDescriptor,
  verityDigest,
} from "../../src/verity/index.ts";

/** The definition of spec/erofs.md 5.1, word for word and slow: the oracle. Levels are leaf first. */
function merkleLevels(data: Uint8Array, algorithm: VerityAlgorithm): Uint8Array[] {
  const levels: Uint8Array[] = [];
  let level = data;
  do {
    const hashes: Uint8Array[] = [];
    for (let at = 0; at < level.length; at += BLOCK_SIZE_BYTES) {
      const block = new Uint8Array(BLOCK_SIZE_BYTES);
      block.set(level.subarray(at, at + BLOCK_SIZE_BYTES));
      hashes.push(hash(algorithm, block, "buffer"));
    }
    level = Buffer.concat(hashes);
    levels.push(level);
  } while (level.length > DIGEST_BYTES[algorithm]);
  return levels;
}

function pattern(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 7 + (index >> 9)) & 0xff);
}

test("verityDigest() gives the known digests of spec/erofs.md 5.1", () => {
  const hello = Buffer.from("hello world");
  assert.equal(
    verityDigest(new Uint8Array(0), "sha256"),
    "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95",
  );
  assert.equal(verityDigest(hello, "sha256"), "1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64");
  assert.equal(
    verityDigest(hello, "sha512"),
    "18430270729d162d4e469daca123ae61893db4b0583d8f7081e3bf4f92b88ba514e7982f10733fb6aa895195c5ae8fd2eb2c47a8be05513ce5a0c51a6f570409",
  );
});

for (const algorithm of ["sha256", "sha512"] as const) {
  for (const sizeBytes of [1, 4095, 4096, 4097, 8192, 262_144, 262_145, 524_288, 524_289]) {
    test(`VerityHasher agrees with the definition for ${sizeBytes} bytes, ${algorithm}`, () => {
      const data = pattern(sizeBytes);
      const levels = merkleLevels(data, algorithm);
      const root = levels.at(-1);
      assert.ok(root);
      const expected = toHex(hash(algorithm, verityDescriptor(algorithm, sizeBytes, root), "buffer"));
      assert.equal(verityDigest(data, algorithm), expected);
    });
  }
}

test("VerityHasher.update() does not care how the bytes are cut", () => {
  const data = pattern(40_000);
  const whole = verityDigest(data, "sha256");
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 30 }), (lengths) => {
      const hasher = new VerityHasher("sha256");
      let at = 0;
      for (const length of lengths) {
        hasher.update(data.subarray(at, at + length));
        at = Math.min(at + length, data.length);
      }
      assert.equal(hasher.update(data.subarray(at)).hexDigest(), whole);
    }),
    { numRuns: 60 },
  );
});

test("VerityHasher.update() keeps no reference to the caller's bytes", () => {
  const chunk = pattern(5000);
  const hasher = new VerityHasher("sha256").update(chunk);
  chunk.fill(0);
  assert.equal(hasher.hexDigest(), verityDigest(pattern(5000), "sha256"));
});

test("VerityHasher.merkleTree() is the levels, root level first, each padded to blocks", () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    const data = pattern(600_000);
    const levels = merkleLevels(data, algorithm).slice(0, -1).toReversed();
    const padded = levels.map((level) =>
      Buffer.concat([level, new Uint8Array((BLOCK_SIZE_BYTES - (level.length % BLOCK_SIZE_BYTES)) % BLOCK_SIZE_BYTES)]),
    );
    const tree = new VerityHasher(algorithm, { keepTree: true }).update(data).merkleTree();
    assert.deepEqual(Buffer.from(tree), Buffer.concat(padded));
  }
});

test("ext4VerityTail() puts tree, descriptor and length after the data and reads back", () => {
  for (const sizeBytes of [0, 1, 4096, 4097, 65_536, 65_537, 1_000_000]) {
    const data = pattern(sizeBytes);
    const tail = ext4VerityTail(new VerityHasher("sha512", { keepTree: true }).update(data));
    assert.equal(tail.offset, Math.ceil(sizeBytes / 65_536) * 65_536);
    assert.equal(tail.offset, ext4VerityOffset(sizeBytes));
    assert.equal(tail.bytes.length % BLOCK_SIZE_BYTES, 0);
    const lastBlock = tail.bytes.subarray(-BLOCK_SIZE_BYTES);
    assert.equal(toHex(lastBlock.subarray(-4)), "00010000");
    const found = readExt4VerityDescriptor(lastBlock);
    assert.equal(found.algorithm, "sha512");
    assert.equal(found.sizeBytes, sizeBytes);
    assert.equal(found.digest, verityDigest(data, "sha512"));
  }
});

test("readVerityDescriptor() names the field that is wrong", () => {
  const good = verityDescriptor("sha256", 11, fromHex("11".repeat(32)));
  assert.equal(good.length, 256);
  const cases: [number, number, RegExp][] = [
    [0, 2, /version is 2, not 1$/],
    [1, 3, /unknown hash algorithm 3$/],
    [2, 16, /block size exponent is 16, not 12$/],
    [3, 8, /salt size is 8, not 0$/],
    [4, 1, /signature size is 1, not 0$/],
    [60, 1, /byte 60 of the unused part is not zero$/],
    [255, 9, /byte 255 of the unused part is not zero$/],
  ];
  for (const [offset, value, message] of cases) {
    const bad = good.slice();
    bad[offset] = value;
    assert.throws(() => readVerityDescriptor(bad), { name: "SealrootError", code: "corrupt", message });
  }
  assert.throws(() => readVerityDescriptor(good.subarray(0, 255)), { code: "corrupt" });
});

test("readExt4VerityDescriptor() refuses a block without the trailer", () => {
  assert.throws(() => readExt4VerityDescriptor(new Uint8Array(4096)), {
    message: /descriptor length 0 instead of 256$/,
  });
  assert.throws(() => readExt4VerityDescriptor(new Uint8Array(512)), { message: /has 512 bytes, not 4096$/ });
});
