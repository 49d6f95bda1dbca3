/** gzip by node:zlib and by igzip: the same bytes, the same refusals, the same limits. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { constants, crc32, deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { SealrootError } from "../../src/errors/index.ts";
import { igzip } from "../../src/primitives/igzip-library.ts";
import { decompress, gunzipPortable } from "../../src/zstd/decompress.ts";
import { gunzipMembers } from "../../src/zstd/gunzip-native.ts";
import { OutputPieces } from "../../src/zstd/output-pieces.ts";
import { isRefusedForItsCode } from "./incomplete-code.ts";

const found = igzip();
/** libraries.test.ts says when it must be there. */
const options = { skip: found.native === undefined && found.reason };

type Outcome = { readonly bytes: Buffer } | { readonly refusal: string; readonly offset: number | undefined };

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut <= start || start >= bytes.length) continue;
    yield Uint8Array.from(bytes.subarray(start, cut));
    start = cut;
  }
}

async function outcomeOf(stream: AsyncIterable<Uint8Array>): Promise<Outcome> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of stream) parts.push(Buffer.from(part));
    return { bytes: Buffer.concat(parts) };
  } catch (error) {
    assert.ok(error instanceof SealrootError && error.code === "corrupt", String(error));
    return { refusal: error.message, offset: error.data.offset };
  }
}

function byIgzip(bytes: Uint8Array, cuts: readonly number[] = [], pieceBytes = 512 << 10): Promise<Outcome> {
  assert.ok(found.native);
  return outcomeOf(gunzipMembers(pieces(bytes, cuts), found.native(), new OutputPieces(pieceBytes)));
}

function byZlib(bytes: Uint8Array, cuts: readonly number[] = []): Promise<Outcome> {
  return outcomeOf(gunzipPortable(pieces(bytes, cuts), false));
}

async function same(bytes: Uint8Array, cuts: readonly number[] = [], pieceBytes?: number): Promise<Outcome> {
  const expected = await byZlib(bytes, cuts);
  assert.deepEqual(await byIgzip(bytes, cuts, pieceBytes), expected);
  return expected;
}

interface MemberFields {
  readonly extra?: Uint8Array;
  readonly name?: Uint8Array;
  readonly comment?: Uint8Array;
  readonly crc?: boolean;
}

/** A member with the optional fields of RFC 1952, 2.3. */
function member(content: Uint8Array, fields: MemberFields = {}, level = 6, strategy = 0): Buffer {
  const { extra, name, comment, crc } = fields;
  const flags = (crc ? 2 : 0) | (extra ? 4 : 0) | (name ? 8 : 0) | (comment ? 16 : 0);
  const u16 = (value: number) => Buffer.from([value & 0xff, (value >> 8) & 0xff]);
  const head = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255]),
    ...(extra ? [u16(extra.length), extra] : []),
    ...(name ? [name, Buffer.alloc(1)] : []),
    ...(comment ? [comment, Buffer.alloc(1)] : []),
  ]);
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(content), 0);
  tail.writeUInt32LE(content.length, 4);
  return Buffer.concat([
    head,
    crc ? u16(crc32(head)) : Buffer.alloc(0),
    deflateRawSync(content, { level, strategy }),
    tail,
  ]);
}

const TEXT = Buffer.from("the quick brown fox jumps over the lazy dog. ".repeat(50));

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.tuple(fc.nat(255), fc.nat(200_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 400 }), fc.nat(300))
    .map(([bytes, times]) => Buffer.concat(Array.from({ length: times }, () => bytes))),
  fc.nat(70_000).map((length) => randomBytes(length)),
);
const text = fc.uint8Array({ min: 1, maxLength: 40 });
const fields = fc.record(
  { extra: fc.uint8Array({ maxLength: 50 }), name: text, comment: text, crc: fc.boolean() },
  { requiredKeys: [] },
);
const members = fc.array(
  fc.record({ content: contents, fields, level: fc.constantFrom(0, 1, 6, 9), strategy: fc.constantFrom(0, 2, 3, 4) }),
  { minLength: 1, maxLength: 4 },
);

test("property: members of every kind, zeros after them, cut anywhere, into pieces of any size", options, async () => {
  const cuts = fc.array(fc.nat(100_000), { maxLength: 12 });
  const pieceBytes = fc.constantFrom(1000, 32_768, 65_537, 512 << 10);
  await fc.assert(
    fc.asyncProperty(members, fc.nat(600), cuts, pieceBytes, async (list, zeros, places, size) => {
      const parts = list.map((one) => member(one.content, one.fields, one.level, one.strategy));
      const outcome = await same(Buffer.concat([...parts, Buffer.alloc(zeros)]), places, size);
      assert.ok("bytes" in outcome);
      assert.ok(outcome.bytes.equals(Buffer.concat(list.map(({ content }) => content))));
    }),
    { numRuns: 80 },
  );
});

test("every cut of a stream in two gives the same", options, async () => {
  const stream = Buffer.concat([
    member(TEXT, { name: Buffer.from("name"), extra: Buffer.from([1, 2, 3]), crc: true }),
    gzipSync(Buffer.alloc(0)),
    member(randomBytes(300), { comment: Buffer.from("why") }, 0),
    Buffer.alloc(3),
  ]);
  for (let cut = 0; cut <= stream.length; cut++) await same(stream, [cut], 100);
});

test(
  "a stream whose end fills the last piece ends all the same, at every length and truncated too",
  options,
  async () => {
    for (let length = 1; length <= 260; length++) {
      for (const [level, strategy] of [
        [0, 0],
        [6, constants.Z_FIXED],
        [9, 0],
      ] as const) {
        const stream = member(TEXT.subarray(0, length), {}, level, strategy);
        const outcome = await same(stream, [], length);
        assert.ok("bytes" in outcome && outcome.bytes.length === length);
        await same(Buffer.concat([stream, stream]), [stream.length], length);
        await same(stream.subarray(0, -1 - (length % 8)), [], length);
      }
    }
  },
);

test("a stream that ends anywhere is refused with the same words", options, async () => {
  const stream = Buffer.concat([
    member(TEXT, { name: Buffer.from("name"), extra: Buffer.from([1, 2, 3]), comment: Buffer.from("c"), crc: true }),
    member(TEXT, {}, 9, constants.Z_FIXED),
    member(randomBytes(200), {}, 0),
  ]);
  for (let length = 0; length < stream.length; length++) await same(stream.subarray(0, length));
});

test(
  "what stands around the data is judged alike: magic, method, flags, both checksums, the length, what follows",
  options,
  async () => {
    const good = member(TEXT, { name: Buffer.from("name"), crc: true });
    const withByte = (at: number, value: number) => {
      const bad = Buffer.from(good);
      bad[at < 0 ? bad.length + at : at] = value;
      return bad;
    };
    const refusals = new Map<Buffer, string>([
      [withByte(0, 0x1e), "incorrect header check"],
      [withByte(1, 0), "incorrect header check"],
      [withByte(2, 9), "unknown compression method"],
      [withByte(3, 0x2a), "unknown header flags set"],
      [withByte(5, 77), "header crc mismatch"],
      [withByte(-8, (good.at(-8) ?? 0) ^ 1), "incorrect data check"],
      [withByte(-1, 1), "incorrect length check"],
      [Buffer.concat([good, Buffer.from("junk")]), "incorrect header check"],
      [Buffer.concat([good, Buffer.from([0x1f])]), "unexpected end of file"],
      [Buffer.concat([good, Buffer.alloc(9), good]), "something follows the zeros after the last member"],
      [Buffer.concat([good, Buffer.alloc(9), Buffer.from([1])]), "something follows the zeros after the last member"],
      [Buffer.alloc(0), "unexpected end of file"],
      [Buffer.alloc(100), "incorrect header check"],
      [withByte(17, 7), "the deflate data are damaged"],
    ]);
    for (const [stream, state] of refusals) {
      const outcome = await same(stream);
      assert.ok("refusal" in outcome, state);
      assert.equal(outcome.refusal, `Cannot decompress gzip data: ${state}`);
    }
  },
);

test("property: a damaged stream is refused by both, or read alike by both", options, async () => {
  const changes = fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { minLength: 1, maxLength: 4 });
  const small = fc.array(
    fc.record({ content: fc.uint8Array({ maxLength: 900 }), fields, level: fc.constantFrom(1, 9) }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  await fc.assert(
    fc.asyncProperty(small, changes, async (list, damage) => {
      const stream = Buffer.concat(list.map((one) => member(one.content, one.fields, one.level)));
      for (const [at, value] of damage) stream[at % stream.length] = value;
      const [zlib, native] = [await byZlib(stream), await byIgzip(stream)];
      if ("bytes" in zlib) assert.deepEqual(native, zlib);
      else if ("bytes" in native) assert.ok(isRefusedForItsCode(stream));
    }),
    { numRuns: 400 },
  );
});

test(
  "a code that leaves patterns without a meaning is the one thing that igzip takes and zlib does not",
  options,
  async () => {
    const content = Buffer.from(Array.from({ length: 140 }, (_, index) => `${(index * index) % 97} `).join(""));
    // Without matches the distance code is not used, and one changed bit makes it incomplete.
    const good = member(content, {}, 9, constants.Z_HUFFMAN_ONLY);
    let taken = 0;
    for (let bit = 80; bit < 400; bit++) {
      const bad = Buffer.from(good);
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (!isRefusedForItsCode(bad)) continue;
      const refusal = "Cannot decompress gzip data: the deflate data are damaged";
      assert.deepEqual(await byZlib(bad), { refusal, offset: undefined });
      const native = await byIgzip(bad);
      if ("bytes" in native) taken++;
      // The bytes are compared with the member's checksum all the same.
      if ("bytes" in native) assert.deepEqual(native.bytes, content);
    }
    assert.ok(taken > 0);
  },
);

test(
  "a bomb comes out piece by piece: no more is made than is asked for, and a few pieces ahead",
  options,
  async () => {
    assert.ok(found.native);
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    const output = new OutputPieces(512 << 10);
    let seenBytes = 0;
    for await (const piece of gunzipMembers(pieces(bomb, []), found.native(), output)) {
      seenBytes += piece.length;
      assert.ok(piece.length <= 512 << 10);
      output.give(piece);
      if (seenBytes > 3 << 20) break;
    }
    assert.equal(seenBytes, (3 << 20) + (512 << 10));
  },
);

test("transient pieces have the same bytes, and their memory is used again", options, async () => {
  const content = randomBytes(6 << 20);
  const packed = gzipSync(content, { level: 1 });
  for (const transient of [true, false]) {
    const memories = new Set<ArrayBufferLike>();
    const copies: Buffer[] = [];
    for await (const piece of decompress(pieces(packed, [1 << 20]), "gzip", { transient })) {
      memories.add(piece.buffer);
      copies.push(Buffer.from(piece));
    }
    assert.ok(Buffer.concat(copies).equals(content));
    assert.equal(copies.length, 12);
    // One in use, three ahead, and one that is being filled.
    if (transient) assert.ok(memories.size <= 5, `${memories.size} buffers`);
    else assert.equal(memories.size, 12);
  }
});

test("twenty thousand members without content take no thread each", options, async () => {
  const stream = Buffer.concat(Array.from({ length: 20_000 }, () => gzipSync(Buffer.alloc(0))));
  const started = performance.now();
  await same(stream, [100_001]);
  assert.ok(performance.now() - started < 30_000);
});

test("leaving early closes the source", options, async () => {
  assert.ok(found.native);
  let closed = false;
  async function* source() {
    try {
      for (;;) yield* pieces(gzipSync(randomBytes(100_000)), []);
    } finally {
      closed = true;
    }
  }
  for await (const _ of gunzipMembers(source(), found.native(), new OutputPieces(10_000))) break;
  assert.ok(closed);
});
