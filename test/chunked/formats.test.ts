import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteString, byteStringOfText } from "../../src/bytes/index.ts";
import {
  CHUNKED_ANNOTATION,
  Crc64,
  checkAgainstTarSplit,
  planRanges,
  type Range,
  readChunkedAnnotations,
  readTarSplit,
  readToc,
  type TarSplitEntry,
  TarSplitWriter,
} from "../../src/chunked/index.ts";
import { collect, fixtureLayers, inPieces, parts } from "./layers.ts";

const { tocPosition, tocDigest, tarSplitPosition } = CHUNKED_ANNOTATION;
const DIGEST = `sha256:${"0a".repeat(32)}`;
const GOOD = { [tocPosition]: "100:20:300:1", [tocDigest]: DIGEST, [tarSplitPosition]: "128:10:40" };

test("annotations give positions; without a table's digest there is no table", () => {
  assert.deepEqual(readChunkedAnnotations(GOOD, 138), {
    toc: { start: 100, end: 120, uncompressedBytes: 300 },
    tocDigest: DIGEST,
    tarSplit: { start: 128, end: 138, uncompressedBytes: 40 },
  });
  assert.equal(readChunkedAnnotations(undefined, 138), undefined);
  assert.equal(readChunkedAnnotations({ [tocPosition]: "nonsense" }, 138), undefined);
  const { [tarSplitPosition]: _, ...old } = GOOD;
  assert.equal(readChunkedAnnotations(old, 138)?.tarSplit, undefined);
});

const BAD_ANNOTATIONS: readonly [string, Record<string, string>][] = [
  ["another type", { [tocPosition]: "100:20:300:2" }],
  ["no type", { [tocPosition]: "100:20:300" }],
  ["no position", { [tocPosition]: "" }],
  ["a sign", { [tocPosition]: "+100:20:300:1" }],
  ["beyond the blob", { [tocPosition]: "119:20:300:1" }],
  ["no bytes", { [tocPosition]: "100:0:300:1" }],
  ["a number beyond 2^53", { [tocPosition]: "100:20:9007199254740993:1" }],
  ["another digest", { [tocDigest]: `sha512:${"0a".repeat(64)}` }],
  ["a digest with a path", { [tocDigest]: `sha256:../${"0".repeat(61)}` }],
  ["tar-split beyond the blob", { [tarSplitPosition]: "128:11:40" }],
  ["tar-split with a type", { [tarSplitPosition]: "128:10:40:1" }],
  ["a table of eStargz too", { "containerd.io/snapshot/stargz/toc.digest": DIGEST }],
];

for (const [what, change] of BAD_ANNOTATIONS) {
  test(`annotations with ${what} are refused`, () => {
    assert.throws(() => readChunkedAnnotations({ ...GOOD, ...change }, 138), {
      code: "corrupt",
      message: /^Cannot read layer annotations: /,
    });
  });
}

test("CRC-64/ISO as Go computes it", () => {
  const base64 = (text: string) => Buffer.from(new Crc64().update(Buffer.from(text)).digest()).toString("base64");
  assert.equal(base64("vector\n"), "YV3MKGdyyzA=");
  assert.equal(base64(""), "AAAAAAAAAAA=");
});

test("CRC-64/ISO against its definition, bit by bit, in any pieces", () => {
  const slow = (bytes: Uint8Array) => {
    let crc = 0xffff_ffff_ffff_ffffn;
    for (const byte of bytes) {
      crc ^= BigInt(byte);
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xd800_0000_0000_0000n : crc >> 1n;
    }
    const digest = Buffer.alloc(8);
    digest.writeBigUInt64BE(crc ^ 0xffff_ffff_ffff_ffffn);
    return digest;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, at) => {
      const digest = new Crc64().update(bytes.subarray(0, at)).update(bytes.subarray(at)).digest();
      assert.deepEqual(Buffer.from(digest), slow(bytes));
    }),
  );
});

function tocOf(...entries: readonly object[]) {
  return readToc(Buffer.from(JSON.stringify({ version: 1, entries })), 1000);
}

const REG = { type: "reg", name: "a", size: 10, digest: DIGEST, offset: 100, endOffset: 200 };
const CHUNK = { type: "chunk", name: "a", offset: 150, chunkOffset: 4, chunkSize: 6, chunkDigest: DIGEST };

test("a table's file has chunks whose ends are the next one's start, the last one the file's", () => {
  const [entry] = tocOf(
    { ...REG, chunkSize: 4, chunkType: "zeros", chunkDigest: DIGEST, modtime: "2023-11-15T07:13:20.5+09:00" },
    CHUNK,
  ).entries;
  assert.deepEqual(entry?.content, {
    digest: DIGEST,
    chunks: [
      { start: 100, end: 150, sizeBytes: 4, digest: DIGEST, isHole: true },
      { start: 150, end: 200, sizeBytes: 6, digest: DIGEST, isHole: false },
    ],
  });
  assert.equal(entry?.modificationTimeNs, 1_700_000_000_500_000_000n);
  const last = tocOf({ ...REG, chunkSize: 4 }, { ...CHUNK, chunkSize: 0 }).entries[0]?.content?.chunks[1];
  assert.equal(last?.sizeBytes, 6);
});

test("times that mean none: absent, year 1, the epoch in any zone", () => {
  for (const modtime of [undefined, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00"]) {
    assert.equal(tocOf({ type: "dir", name: "d", modtime }).entries[0]?.modificationTimeNs, undefined);
  }
  assert.equal(
    tocOf({ type: "dir", name: "d", modtime: "1969-12-31T23:59:59.5Z" }).entries[0]?.modificationTimeNs,
    -500_000_000n,
  );
});

const BAD_TOCS: readonly [string, readonly object[]][] = [
  ["a chunk first", [CHUNK]],
  [
    "a chunk of another file",
    [
      { ...REG, chunkSize: 4 },
      { ...CHUNK, name: "b" },
    ],
  ],
  ["a chunk after a directory", [{ type: "dir", name: "a" }, CHUNK]],
  [
    "chunks with a gap",
    [
      { ...REG, chunkSize: 4 },
      { ...CHUNK, chunkOffset: 5, chunkSize: 5 },
    ],
  ],
  [
    "chunks too short",
    [
      { ...REG, chunkSize: 4 },
      { ...CHUNK, chunkSize: 5 },
    ],
  ],
  [
    "chunks too long",
    [
      { ...REG, chunkSize: 4 },
      { ...CHUNK, chunkSize: 7 },
    ],
  ],
  [
    "a chunk of nothing",
    [
      { ...REG, chunkSize: 10 },
      { ...CHUNK, chunkOffset: 10, chunkSize: 0 },
    ],
  ],
  [
    "chunks that go back in the blob",
    [
      { ...REG, chunkSize: 4 },
      { ...CHUNK, offset: 99 },
    ],
  ],
  ["an end before the start", [{ ...REG, endOffset: 100 }]],
  ["an end beyond the blob", [{ ...REG, endOffset: 1001 }]],
  ["a file without a digest", [{ ...REG, digest: undefined }]],
  ["a digest that is none", [{ ...REG, digest: "sha256:XYZ" }]],
  ["a fraction as size", [{ ...REG, size: 1.5 }]],
  ["a size beyond 2^53", [{ ...REG, size: 2 ** 53 }]],
  ["a negative offset", [{ ...REG, offset: -1 }]],
  ["an unknown type", [{ ...REG, type: "socket" }]],
  ["an unknown type of chunk", [{ ...REG, chunkType: "ones" }]],
  ["no name", [{ ...REG, name: "" }]],
  ["a bad time", [{ ...REG, modtime: "yesterday" }]],
  ["a thirteenth month", [{ ...REG, modtime: "2023-13-01T00:00:00Z" }]],
  ["an attribute that is not base64", [{ ...REG, xattrs: { "user.x": "!" } }]],
  ["an entry that is not an object", [[]]],
];

for (const [what, entries] of BAD_TOCS) {
  test(`a table with ${what} is refused`, () => {
    assert.throws(() => tocOf(...entries), { code: "corrupt", message: /^Cannot read table of contents: / });
  });
}

test("a table with bytes after it, or not UTF-8, is refused", () => {
  for (const text of ['{"entries":[]}{}', '{"entries":[]} x', "", "[]", "null", '{"entries":{}}']) {
    assert.throws(() => readToc(Buffer.from(text), 10), { code: "corrupt" }, text);
  }
  assert.throws(() => readToc(Buffer.from([0x22, 0xff, 0x22]), 10), { code: "corrupt" });
});

/** Half-open ranges merged the slow way. */
function slowPlan(pieces: readonly Range[]): Range[] {
  let ranges = pieces.map(({ start, end }) => ({ start, end }));
  const mergeAt = (index: number) => {
    const [left, right] = [ranges[index], ranges[index + 1]];
    if (left === undefined || right === undefined) return;
    ranges = [...ranges.slice(0, index), { start: left.start, end: right.end }, ...ranges.slice(index + 2)];
  };
  const gap = (index: number) => (ranges[index + 1]?.start ?? 0) - (ranges[index]?.end ?? 0);
  for (let index = 0; index < ranges.length - 1; ) {
    if (gap(index) <= 1024) mergeAt(index);
    else index++;
  }
  return ranges;
}

test("property: ranges cover the pieces, merged over gaps of up to 1024 bytes", () => {
  const steps = fc.array(
    fc.tuple(fc.oneof(fc.nat(3000), fc.constantFrom(0, 1024, 1025)), fc.integer({ min: 1, max: 500 })),
  );
  fc.assert(
    fc.property(steps, (drawn) => {
      let at = 0;
      const pieces = drawn.map(([gap, length]) => {
        const start = at + gap;
        at = start + length;
        return { start, end: at };
      });
      assert.deepEqual(planRanges(pieces), slowPlan(pieces));
    }),
  );
});

test("more than 1024 ranges: the smallest gaps are merged first", () => {
  const pieces = Array.from({ length: 3000 }, (_, index) => ({
    start: index * 100_000 + index,
    end: index * 100_000 + 10,
  }));
  const sized = pieces.map(({ start }, index) => ({ start, end: start + 10 + (index % 7) }));
  const ranges = planRanges(sized);
  assert.ok(ranges.length <= 1024 && ranges.length > 500, `${ranges.length}`);
  const covered = (piece: Range) => ranges.some(({ start, end }) => start <= piece.start && piece.end <= end);
  assert.ok(sized.every(covered));
  const kept = ranges.slice(1).map((range, index) => range.start - (ranges[index]?.end ?? 0));
  const merged = sized
    .slice(1)
    .map((piece, index) => ({ gap: piece.start - (sized[index]?.end ?? 0), at: piece.start }))
    .filter(({ at }) => ranges.some(({ start, end }) => start < at && at < end));
  assert.ok(Math.min(...kept) >= Math.max(...merged.map(({ gap }) => gap)));
});

test("property: tar-split lines come back, names of any bytes, in any pieces", async () => {
  const bytes = fc.uint8Array({ maxLength: 700 });
  const part: fc.Arbitrary<TarSplitEntry> = fc.oneof(
    bytes.map((payload): TarSplitEntry => ({ type: "bytes", bytes: Buffer.from(payload) })),
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat()).map(
      ([name, sizeBytes]): TarSplitEntry => ({
        type: "body",
        name: byteString(name),
        sizeBytes,
        checksum: sizeBytes === 0 ? undefined : Buffer.from("checksum"),
      }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part), fc.integer({ min: 1, max: 999 }), async (entries, pieceBytes) => {
      const lines: Uint8Array[] = [];
      const writer = new TarSplitWriter((line) => lines.push(line));
      for (const entry of entries) {
        if (entry.type === "bytes") writer.bytes(entry.bytes);
        else writer.body(entry.name, entry.sizeBytes, entry.checksum);
      }
      const read: TarSplitEntry[] = [];
      for await (const entry of readTarSplit(inPieces(Buffer.concat(lines), pieceBytes))) read.push(entry);
      assert.deepEqual(read, entries);
    }),
  );
});

test("tar-split lines as the reference writes them", () => {
  let text = "";
  const writer = new TarSplitWriter((line) => {
    text += Buffer.from(line).toString();
  });
  writer.bytes(Buffer.from("etc/"));
  writer.body(byteStringOfText("etc/"), 0, undefined);
  writer.body(byteStringOfText("etc/hostname"), 6, Buffer.from("YV3Czr654AA=", "base64"));
  writer.body(byteString(Buffer.from([0xe9])), 0, undefined);
  assert.equal(
    text,
    '{"type":2,"payload":"ZXRjLw==","position":0}\n' +
      '{"type":1,"name":"etc/","payload":null,"position":1}\n' +
      '{"type":1,"name":"etc/hostname","size":6,"payload":"YV3Czr654AA=","position":2}\n' +
      '{"type":1,"name_raw":"6Q==","payload":null,"position":3}\n',
  );
});

test("bad tar-split lines are refused with their number", async () => {
  const bad = [
    "x",
    "{}",
    '{"type":3}',
    '{"type":2,"payload":"?"}',
    '{"type":1}',
    '{"type":1,"name":"a","size":-1}',
    "[]",
  ];
  for (const line of bad) {
    const read = collect(
      (async function* () {
        for await (const _ of readTarSplit([Buffer.from(`{"type":2,"payload":""}\n${line}\n`)])) yield Buffer.alloc(0);
      })(),
    );
    await assert.rejects(read, { code: "corrupt", message: /line 2/ }, line);
  }
});

interface JsonEntry {
  readonly name?: string;
  readonly type?: string;
}

test("a table that says anything else than the tar-split data is refused with the difference", async () => {
  const [layer] = fixtureLayers("zstd-chunked-2layer", "zstd-chunked-2layer");
  assert.ok(layer);
  const { toc, tarSplit } = parts(layer);
  const check = (change: (entries: JsonEntry[]) => void) => {
    const json = JSON.parse(toc);
    change(json.entries);
    const table = readToc(Buffer.from(JSON.stringify(json)), layer.blob.length);
    return checkAgainstTarSplit(table, readTarSplit([tarSplit]));
  };
  const named = (entries: JsonEntry[], name: string) => entries.find((entry) => entry.name === name) ?? {};
  const cases: readonly [RegExp, (entries: JsonEntry[]) => void][] = [
    [/another mode$/, (entries) => Object.assign(named(entries, "usr/caps"), { mode: 0o4755 })],
    [/another type$/, (entries) => Object.assign(named(entries, "etc/empty"), { type: "fifo" })],
    [/another owner$/, (entries) => Object.assign(named(entries, "usr/"), { gid: 7 })],
    [
      /another modification time$/,
      (entries) => Object.assign(named(entries, "usr/"), { modtime: "2001-01-01T00:00:00Z" }),
    ],
    [
      /another access time$/,
      (entries) => Object.assign(named(entries, "usr/"), { accesstime: "2001-01-01T00:00:00Z" }),
    ],
    [/another link target$/, (entries) => Object.assign(named(entries, "usr/bin/alias"), { linkName: "sh" })],
    [/another device$/, (entries) => Object.assign(named(entries, "dev/null"), { devMinor: 4 })],
    [/another set of extended attributes$/, (entries) => Object.assign(named(entries, "usr/caps"), { xattrs: {} })],
    [/another size$/, (entries) => Object.assign(named(entries, "etc/hostname"), { size: 8 })],
    [/does not have it, or has it once$/, (entries) => entries.splice(3, 1)],
    [/the tar does not have it$/, (entries) => entries.push({ type: "dir", name: "more/" })],
    [/the table has it twice$/, (entries) => entries.push({ type: "dir", name: "usr/" })],
  ];
  await check(() => {});
  await check((entries) => entries.unshift(...entries.splice(0, 3).reverse()));
  for (const [message, change] of cases) await assert.rejects(check(change), { code: "corrupt", message });
});
