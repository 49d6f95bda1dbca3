import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { SealrootError } from "../../src/errors/index.ts";
import { gunzipPortable } from "../../src/zstd/decompress.ts";
import { type Compression, compress, decompress, unzstdWhole, ZstdFrameWalker } from "../../src/zstd/index.ts";

const TEXT = Buffer.from("the quick brown fox jumps over the lazy dog. ".repeat(50));
const NOISE = randomBytes(300_000);
const SKIPPABLE = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0]), Buffer.from("skipskip")]);

/** Each is valid until the next is requested, as those of a blob are. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut <= start) continue;
    const piece = Uint8Array.from(bytes.subarray(start, Math.min(cut, bytes.length)));
    yield piece;
    piece.fill(0xee);
    start = cut;
  }
}

async function unpack(
  bytes: Uint8Array,
  compression: Compression,
  cuts: readonly number[] = [],
  maxOutputBytes?: number,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const options = maxOutputBytes === undefined ? {} : { maxOutputBytes };
  for await (const part of decompress(pieces(bytes, cuts), compression, options)) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

function zstd(bytes: Uint8Array, checksum = false): Buffer {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 } });
}

/** Frames of every kind: with and without checksum, empty, incompressible, run-length, two skippables. */
const FRAMES = Buffer.concat([
  SKIPPABLE,
  zstd(TEXT),
  zstd(NOISE, true),
  SKIPPABLE,
  zstd(Buffer.alloc(0)),
  zstd(Buffer.alloc(500_000), true),
]);
const CONTENT = Buffer.concat([TEXT, NOISE, Buffer.alloc(500_000)]);

test("every frame of a zstd stream is decoded, wherever the input is cut", async () => {
  assert.deepEqual(await unpack(FRAMES, "zstd"), CONTENT);
  const everyByteOfTheFirst1000 = Array.from({ length: 1000 }, (_, at) => at);
  assert.deepEqual(await unpack(FRAMES, "zstd", everyByteOfTheFirst1000), CONTENT);
  for (let cut = 0; cut < 120; cut++) assert.deepEqual(await unpack(FRAMES, "zstd", [cut]), CONTENT, `cut at ${cut}`);
});

test("property: random frames, cut at random places, give the same bytes", async () => {
  const frame = fc.record({ bytes: fc.uint8Array({ maxLength: 3000 }), checksum: fc.boolean(), skip: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(9000)), async (frames, cuts) => {
      const stream = Buffer.concat(
        frames.flatMap(({ bytes, checksum, skip }) => [zstd(bytes, checksum), skip ? SKIPPABLE : Buffer.alloc(0)]),
      );
      const sorted = cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b);
      assert.deepEqual(await unpack(stream, "zstd", sorted), Buffer.concat(frames.map(({ bytes }) => bytes)));
    }),
    { numRuns: 40 },
  );
});

test("a zstd stream that ends early is refused at every length but the whole frames", async () => {
  const small = Buffer.concat([zstd(TEXT, true), SKIPPABLE, zstd(Buffer.from("end"))]);
  const whole = new Set([zstd(TEXT, true).length, zstd(TEXT, true).length + SKIPPABLE.length]);
  for (let length = 0; length < small.length; length++) {
    const cut = unpack(small.subarray(0, length), "zstd");
    if (whole.has(length)) assert.deepEqual(await cut, TEXT);
    else await assert.rejects(cut, { code: "corrupt" }, `cut to ${length}`);
  }
});

test("anything but a frame after the last zstd frame is refused with its offset", async () => {
  const stream = Buffer.concat([zstd(TEXT), Buffer.from("junk")]);
  await assert.rejects(unpack(stream, "zstd"), (error: SealrootError) => {
    assert.equal(error.message, "Cannot decompress zstd data: no frame begins here");
    assert.equal(error.data.offset, stream.length - 4);
    return true;
  });
});

test("a flipped bit in a zstd frame with checksum is refused", async () => {
  const stream = zstd(NOISE, true);
  stream[150_000] = (stream[150_000] as number) ^ 1;
  await assert.rejects(unpack(stream, "zstd"), { code: "corrupt", message: /^Cannot decompress zstd data: / });
});

test("all members of a gzip stream are decoded, wherever the input is cut", async () => {
  const stream = Buffer.concat([gzipSync(TEXT), gzipSync(Buffer.alloc(0)), gzipSync(NOISE)]);
  const content = Buffer.concat([TEXT, NOISE]);
  assert.deepEqual(await unpack(stream, "gzip"), content);
  for (let cut = 0; cut < 220; cut++) assert.deepEqual(await unpack(stream, "gzip", [cut, cut + 1]), content);
});

test("a gzip stream that ends early is refused at every length", async () => {
  const stream = Buffer.concat([gzipSync(TEXT), gzipSync(Buffer.from("end"))]);
  const firstMember = gzipSync(TEXT).length;
  for (let length = 0; length < stream.length; length++) {
    const cut = unpack(stream.subarray(0, length), "gzip");
    if (length === firstMember) assert.deepEqual(await cut, TEXT);
    else await assert.rejects(cut, { code: "corrupt" }, `cut to ${length}`);
  }
});

test("zeros after the last gzip member are padding; anything after them is refused, never dropped", async () => {
  const member = gzipSync(TEXT);
  const zeros = Buffer.alloc(700);
  assert.deepEqual(await unpack(Buffer.concat([member, zeros]), "gzip"), TEXT);
  assert.deepEqual(await unpack(Buffer.concat([member, zeros]), "gzip", [member.length, member.length + 5]), TEXT);
  for (const tail of [member, Buffer.from("junk")]) {
    const hidden = Buffer.concat([member, zeros, tail]);
    for (const cuts of [[], [member.length], [member.length + 5], [member.length + 700]]) {
      await assert.rejects(unpack(hidden, "gzip", cuts), {
        code: "corrupt",
        message: "Cannot decompress gzip data: something follows the zeros after the last member",
      });
    }
  }
  await assert.rejects(unpack(Buffer.concat([member, Buffer.from("junk")]), "gzip"), { code: "corrupt" });
});

test("output beyond the limit is refused before it is handed out", async () => {
  for (const [compression, bomb] of [
    ["gzip", gzipSync(Buffer.alloc(50 << 20))],
    ["zstd", zstdCompressSync(Buffer.alloc(50 << 20))],
  ] as const) {
    let seen = 0;
    const run = (async () => {
      for await (const part of decompress(pieces(bomb, []), compression, { maxOutputBytes: 3 << 20 }))
        seen += part.length;
    })();
    await assert.rejects(run, { code: "unsupported" });
    assert.ok(seen <= 3 << 20);
  }
});

test("an error of the source passes through unchanged", async () => {
  async function* failing() {
    yield gzipSync(TEXT).subarray(0, 20);
    throw new SealrootError("corrupt", "Cannot accept blob: wrong digest");
  }
  const run = (async () => {
    for await (const _ of decompress(failing(), "gzip"));
  })();
  await assert.rejects(run, { message: "Cannot accept blob: wrong digest" });
});

test("compress() and decompress() are inverse and deterministic", async () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const once = Buffer.concat(await collect(compress(pieces(CONTENT, [1000, 200_000]), compression)));
    const twice = Buffer.concat(await collect(compress(pieces(CONTENT, [1000, 200_000]), compression)));
    assert.deepEqual(once, twice);
    // However the bytes come: zstd cuts its blocks by what it is fed with.
    const cuts = Array.from({ length: 99 }, (_, index) => (index + 1) * 512);
    assert.deepEqual(Buffer.concat(await collect(compress(pieces(CONTENT, cuts), compression))), once);
    assert.deepEqual(await unpack(once, compression), CONTENT);
  }
});

test("the walker's pieces are the data frames' bytes, never two frames in one piece", () => {
  const walker = new ZstdFrameWalker();
  const parts = walker.push(Buffer.concat([SKIPPABLE, zstd(TEXT), SKIPPABLE, zstd(NOISE, true)]));
  walker.finish();
  assert.deepEqual(
    parts.map((part) => Buffer.from(part)),
    [zstd(TEXT), zstd(NOISE, true)],
  );
  assert.equal(walker.frames, 2);
});

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(Uint8Array.from(part));
  return parts;
}

test("a compressed block of no bytes is refused, which libzstd takes in a stream and refuses in a buffer", async () => {
  const frame = Buffer.from("28b52ffd2000050000", "hex");
  const expected = { code: "corrupt", message: "Cannot decompress zstd data: bad block header" };
  assert.throws(() => unzstdWhole(frame, 100), expected);
  await assert.rejects(unpack(frame, "zstd", [3]), expected);
});

test("transient pieces have the same bytes, and are gone when all of their memory has been handed out", async () => {
  const content = randomBytes(900_000);
  // Node's engines; what becomes of a library's memory is in test/primitives/gunzip-paths.test.ts.
  for (const stream of [
    gunzipPortable(pieces(gzipSync(content), [300_000]), true),
    decompress(pieces(zstdCompressSync(content), [300_000]), "zstd", { transient: true }),
  ]) {
    const copies: Uint8Array[] = [];
    let last: Uint8Array = new Uint8Array(1);
    for await (const piece of stream) {
      copies.push(Buffer.from(piece));
      last = copies.length === 1 ? piece : last;
    }
    assert.deepEqual(Buffer.concat(copies), content);
    assert.ok(copies.length > 1);
    if ((copies[0]?.length ?? 0) === 512 << 10) assert.equal(last.length, 0);
  }
});

test("transient pieces of many small frames, several of which wait for a slow consumer, are left to Node's pool", async () => {
  const frame = zstdCompressSync(Buffer.alloc(512, 7));
  const frames = Buffer.concat(Array.from({ length: 12_000 }, () => frame));
  let sizeBytes = 0;
  for await (const piece of decompress(pieces(frames, [frames.length]), "zstd", { transient: true })) {
    assert.ok(piece.every((byte) => byte === 7));
    sizeBytes += piece.length;
    await setTimeout(1);
  }
  assert.equal(sizeBytes, 12_000 * 512);
});
