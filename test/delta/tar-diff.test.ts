/** tar-diff: every operation, pieces of every size, random differences, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { applyTarDiff, readTarDiff, type TarDiffSource } from "../../src/delta/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { add, copy, diffOf, emit, type Operation, open, patch, raw, seek, tarDiff } from "./encoder.ts";

const OLD = Buffer.from("the quick brown fox jumps over the lazy dog");

/** Files in memory; says which were closed. */
class Files implements TarDiffSource {
  readonly contents: Readonly<Record<string, Uint8Array>>;
  opened = 0;

  constructor(contents: Readonly<Record<string, Uint8Array>>) {
    this.contents = contents;
  }

  open(path: string) {
    const content = this.contents[path];
    if (content === undefined) throw new SealrootError("not-found", `no ${path}`);
    this.opened++;
    return {
      sizeBytes: content.length,
      read: (start: number, end: number) => content.subarray(start, end),
      [Symbol.dispose]: () => void this.opened--,
    };
  }
}

async function* inPieces(bytes: Uint8Array, sizeBytes: number) {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

async function apply(
  delta: Uint8Array,
  contents: Readonly<Record<string, Uint8Array>> = { "usr/old": OLD },
  { maxOutputBytes = 1 << 24, pieceBytes = 1 << 16 } = {},
): Promise<Buffer> {
  const files = new Files(contents);
  const pieces: Buffer[] = [];
  try {
    for await (const piece of applyTarDiff(inPieces(delta, pieceBytes), files, { maxOutputBytes })) {
      pieces.push(Buffer.from(piece));
    }
  } finally {
    assert.equal(files.opened, 0, "files stay open");
  }
  return Buffer.concat(pieces);
}

test("every operation, in pieces of every size", async () => {
  const changed = Buffer.from("THE QUICK");
  const dictionary = Buffer.alloc(50_000, "dictionary");
  const patched = Buffer.concat([dictionary.subarray(0, 40_000), Buffer.from("new"), dictionary.subarray(10)]);
  const operations = [
    emit("header"),
    open("./usr//old"),
    copy(4),
    seek(10),
    copy(5),
    seek(0),
    add(OLD.subarray(0, 9), changed),
    seek(OLD.length),
    copy(0),
    emit(""),
    open("dictionary"),
    patch(dictionary, patched),
    emit("end"),
  ];
  const expected = Buffer.concat([Buffer.from("headerthe brownTHE QUICK"), patched, Buffer.from("end")]);
  const delta = tarDiff(operations, 2);
  for (const pieceBytes of [1, 7, 4096, delta.length]) {
    assert.deepEqual(await apply(delta, { "usr/old": OLD, dictionary }, { pieceBytes }), expected);
  }
});

test("an empty one, one of several frames, the sizes and places of operations", async () => {
  assert.equal((await apply(tarDiff([]))).length, 0);
  const frames = Buffer.concat([Buffer.from("tardf1\n\0"), zstdCompressSync(emit("a")), zstdCompressSync(emit("b"))]);
  assert.equal((await apply(frames)).toString(), "ab");
  const seen = [];
  for await (const { kind, size, offset } of readTarDiff(inPieces(tarDiff([emit("abc"), seek(300), copy(1)]), 9), {
    maxBytes: 99,
  })) {
    seen.push([kind, size, offset]);
  }
  assert.deepEqual(seen, [
    ["data", 3, 0],
    ["seek", 300, 5],
    ["copy", 1, 8],
  ]);
});

test("random differences come out as they went in", async () => {
  let state = 12345;
  const random = (limit: number) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state % limit;
  };
  const content = (sizeBytes: number) => Buffer.from(Array.from({ length: sizeBytes }, () => random(256)));
  for (let round = 0; round < 200; round++) {
    const contents: Record<string, Buffer> = {};
    const operations: Operation[] = [];
    const expected: Buffer[] = [];
    for (let file = 0; file < 1 + random(5); file++) {
      const before = content(random(3000));
      const after = random(3) === 0 ? content(random(3000)) : Buffer.concat([before, content(random(100))]);
      if (after.length > 0) after[random(after.length)] = random(256);
      contents[`f${file}`] = before;
      operations.push(...diffOf(`f${file}`, before, after));
      expected.push(after);
    }
    assert.deepEqual(await apply(tarDiff(operations), contents), Buffer.concat(expected));
  }
});

test("large: a hundred megabytes of one file are copied and added piece by piece", async () => {
  const large = Buffer.alloc(100 << 20, "large");
  const delta = tarDiff([
    open("large"),
    copy(large.length),
    seek(0),
    add(large.subarray(0, 3 << 20), large.subarray(1, (3 << 20) + 1)),
  ]);
  const files = new Files({ large });
  let sizeBytes = 0;
  for await (const piece of applyTarDiff(inPieces(delta, 1 << 16), files, { maxOutputBytes: 1 << 30 })) {
    sizeBytes += piece.length;
    assert.ok(piece.length <= 1 << 20);
  }
  assert.equal(sizeBytes, large.length + (3 << 20));
});

const REFUSED: readonly [string, Buffer, string, string][] = [
  ["nothing", Buffer.alloc(0), "corrupt", "it does not begin like one"],
  ["another format", Buffer.from("tardf3\n\0xxxx"), "corrupt", "it does not begin like one"],
  ["no frame", Buffer.from("tardf1\n\0xxxxxxxx"), "corrupt", "Cannot decompress zstd data"],
  ["a frame cut off", tarDiff([emit("a".repeat(300))]).subarray(0, 20), "corrupt", "Cannot decompress zstd data"],
  ["an unknown operation", tarDiff([raw(6, 0)]), "corrupt", "unknown operation 6"],
  ["a patch in version 1", tarDiff([open("usr/old"), patch(OLD, OLD)]), "corrupt", "unknown operation 5"],
  ["an operation without size", tarDiff([Buffer.from([0])]), "corrupt", "ends in the middle"],
  ["a size without end", tarDiff([Buffer.from([0, 0xff, 0xff])]), "corrupt", "ends in the middle"],
  ["a size beyond all", tarDiff([Buffer.from([0, ...Array(12).fill(0xff), 1])]), "corrupt", "a number is too large"],
  ["less data than said", tarDiff([raw(0, 10, Buffer.from("abc"))]), "corrupt", "ends in the middle"],
  ["a copy without a file", tarDiff([copy(1)]), "corrupt", "no file is open"],
  ["a place without a file", tarDiff([seek(1)]), "corrupt", "no file is open"],
  ["an addition without a file", tarDiff([add(OLD, OLD)]), "corrupt", "no file is open"],
  [
    "more than the file has",
    tarDiff([open("usr/old"), copy(OLD.length + 1)]),
    "corrupt",
    "it reads up to 44 in a file of 43",
  ],
  ["a copy of terabytes", tarDiff([open("usr/old"), copy(2 ** 50)]), "corrupt", "in a file of 43"],
  ["a place behind the file", tarDiff([open("usr/old"), seek(44)]), "corrupt", "it leads to 44 in a file of 43"],
  [
    "an addition beyond it",
    tarDiff([open("usr/old"), seek(40), add(OLD.subarray(40), Buffer.from("long"))]),
    "corrupt",
    "it reads up to 44",
  ],
  ["a path upwards", tarDiff([open("usr/../../etc/shadow")]), "corrupt", "leads outside"],
  ["no path", tarDiff([open("/./")]), "corrupt", "leads outside"],
  ["a path with NUL", tarDiff([open("a\0b")]), "corrupt", "leads outside"],
  ["a long path", tarDiff([open("a".repeat(4097))]), "corrupt", "the name of a file has 4097 bytes"],
  ["a file that is not there", tarDiff([open("usr/new")]), "not-found", "no usr/new"],
  ["operations that make nothing", tarDiff([open("usr/old"), ...Array(100).fill(seek(1))]), "corrupt", "make nothing"],
  ["too much", tarDiff([emit("a".repeat(1001))]), "unsupported", "more than 1000 bytes come out"],
  [
    "too much, copied",
    tarDiff([
      open("usr/old"),
      ...Array(50)
        .fill([copy(40), seek(0)])
        .flat(),
    ]),
    "unsupported",
    "more than 1000 bytes",
  ],
  [
    "too much, patched",
    tarDiff([open("usr/old"), patch(OLD, Buffer.alloc(5000))], 2),
    "unsupported",
    "more than 1000 bytes come out",
  ],
  [
    "a patch that is not one",
    tarDiff([open("usr/old"), raw(5, 4, Buffer.from("zstd"))], 2),
    "corrupt",
    "Cannot decompress zstd data",
  ],
];

for (const [name, delta, code, message] of REFUSED) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(apply(delta, { "usr/old": OLD }, { maxOutputBytes: 1000 }), (error) => {
      assert.ok(error instanceof SealrootError, String(error));
      assert.equal(error.code, code);
      assert.ok(error.message.includes(message), error.message);
      return true;
    });
  });
}

test("a bomb of operations is refused when the stream of them is too long", async () => {
  const bomb = tarDiff([raw(0, 80 << 20, Buffer.alloc(80 << 20))]);
  assert.ok(bomb.length < 10_000);
  await assert.rejects(apply(bomb, {}, { maxOutputBytes: 1000 }), { code: "unsupported" });
});

test("a dictionary is not larger than what may be in memory", async () => {
  const files: TarDiffSource = {
    open: () => ({
      sizeBytes: (128 << 20) + 1,
      read: () => assert.fail("it is read"),
      [Symbol.dispose]: () => {},
    }),
  };
  const delta = tarDiff([open("big"), patch(OLD, OLD)], 2);
  await assert.rejects(
    async () => {
      for await (const _ of applyTarDiff(inPieces(delta, 99), files, { maxOutputBytes: 1000 }));
    },
    {
      code: "unsupported",
      message: "Cannot apply the tar-diff: a file of 134217729 bytes is too large for a dictionary",
    },
  );
});
