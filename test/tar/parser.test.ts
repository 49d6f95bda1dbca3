import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import tarStream from "tar-stream";
import { byteStringOfText } from "../../src/bytes/index.ts";
import {
  END_OF_ARCHIVE,
  encodeTarHeader,
  type TarBody,
  type TarEntry,
  TarParser,
  tarPadding,
} from "../../src/tar/index.ts";

interface Parsed {
  readonly entries: { readonly entry: TarEntry; readonly body: Buffer }[];
  /** Every byte reported, in order. */
  readonly bytes: Buffer;
  readonly streamedBytes: number;
}

function parse(stream: Uint8Array, cuts: readonly number[] = [], inlineMaxBytes = 64): Parsed {
  const bytes: Buffer[] = [];
  const entries: { entry: TarEntry; body: Buffer; parts: Buffer[] }[] = [];
  let streamedBytes = 0;
  const parser = new TarParser(
    {
      inline: (part) => bytes.push(Buffer.from(part)),
      entry: (entry: TarEntry, body: TarBody) => {
        const whole = body.type === "inline" ? Buffer.from(body.bytes) : Buffer.alloc(0);
        entries.push({ entry, body: whole, parts: [] });
      },
      body: (part) => {
        bytes.push(Buffer.from(part));
        entries.at(-1)?.parts.push(Buffer.from(part));
        streamedBytes += part.length;
      },
    },
    inlineMaxBytes,
  );
  let start = 0;
  for (const cut of [...cuts, stream.length]) {
    parser.push(stream.subarray(start, cut));
    start = cut;
  }
  parser.finish();
  return {
    entries: entries.map(({ entry, body, parts }) => ({ entry, body: Buffer.concat([body, ...parts]) })),
    bytes: Buffer.concat(bytes),
    streamedBytes,
  };
}

const FILE = { kind: "file", mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 5n } as const;

function file(path: string, body: Uint8Array): Buffer {
  const header = encodeTarHeader({ ...FILE, path: byteStringOfText(path), sizeBytes: body.length });
  return Buffer.concat([header, body, tarPadding(body.length)]);
}

/** A header block with fields set by hand and the checksum made right. */
function block(
  fields: { [offset: number]: string | Uint8Array },
  base: Uint8Array = file("x", Buffer.alloc(0)),
): Buffer {
  const bytes = Buffer.from(base.subarray(0, 512));
  for (const [offset, value] of Object.entries(fields))
    bytes.set(Buffer.from(value as string, "latin1"), Number(offset));
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

function extension(flag: string, body: Uint8Array): Buffer {
  const size = `${body.length.toString(8).padStart(11, "0")}\0`;
  return Buffer.concat([block({ 124: size, 156: flag }), body, tarPadding(body.length)]);
}

const pax = (...records: string[]) => extension("x", Buffer.from(records.join(""), "latin1"));

test("what the parser reports is the stream, byte for byte, wherever it is cut", () => {
  const stream = Buffer.concat([
    file("a", Buffer.alloc(1000, 1)),
    file("b", Buffer.from("small")),
    END_OF_ARCHIVE,
    Buffer.from("junk"),
  ]);
  for (let cut = 0; cut <= stream.length; cut += 7) {
    const parsed = parse(stream, [cut]);
    assert.deepEqual(parsed.bytes, stream);
    assert.deepEqual(
      parsed.entries.map(({ entry, body }) => [entry.path, body.length]),
      [
        ["a", 1000],
        ["b", 5],
      ],
    );
    assert.equal(parsed.streamedBytes, 1000);
  }
  assert.deepEqual(parse(stream, Array.from(stream.keys())).bytes, stream);
});

test("files of up to the threshold are inline, larger ones are streamed", () => {
  for (const [size, streamed] of [
    [0, 0],
    [1, 0],
    [64, 0],
    [65, 65],
    [512, 512],
    [513, 513],
  ] as const) {
    const parsed = parse(Buffer.concat([file("f", Buffer.alloc(size, 9)), END_OF_ARCHIVE]));
    assert.equal(parsed.streamedBytes, streamed, `${size} bytes`);
    assert.deepEqual(parsed.entries[0]?.body, Buffer.alloc(size, 9));
  }
});

test("a body may be put in as a reference, and only where one is due", () => {
  const seen: [string, TarBody][] = [];
  const parser = new TarParser(
    { inline: () => {}, body: () => {}, entry: (entry, body) => seen.push([entry.path, body]) },
    64,
  );
  const header = encodeTarHeader({ ...FILE, path: byteStringOfText("f"), sizeBytes: 1000 });
  parser.push(header);
  parser.pushExternal("id");
  assert.equal(parser.streamBytes, 512 + 1000);
  assert.throws(() => parser.pushExternal("id"), {
    code: "corrupt",
    message: "Cannot read tar stream: an object stands where no file body is due",
  });
  parser.push(tarPadding(1000));
  parser.push(END_OF_ARCHIVE);
  parser.finish();
  assert.deepEqual(seen, [["f", { type: "external", reference: "id" }]]);
});

test("one zero block is skipped, two end the archive, an end without marker is accepted", () => {
  const zero = Buffer.alloc(512);
  const skipped = parse(Buffer.concat([file("a", zero), zero, file("b", zero), zero, zero, file("c", zero)]));
  assert.deepEqual(
    skipped.entries.map(({ entry }) => entry.path),
    ["a", "b"],
  );
  assert.equal(parse(file("a", zero)).entries.length, 1);
  assert.equal(parse(Buffer.alloc(0)).entries.length, 0);
});

test("a stream cut anywhere inside an entry is refused", () => {
  const stream = Buffer.concat([pax("30 mtime=1234567890.123456789\n"), file("a", Buffer.alloc(100, 1))]);
  for (let length = 1; length < stream.length; length++) {
    assert.throws(() => parse(stream.subarray(0, length)), {
      code: "corrupt",
      message: "Cannot read tar stream: unexpected end inside an entry",
    });
  }
});

test("PAX wins over GNU long names, those over prefix and name", () => {
  const named = block({ 0: "name\0", 345: "prefix\0" });
  const path = (...parts: Buffer[]) => parse(Buffer.concat(parts)).entries[0]?.entry.path;
  assert.equal(path(named), "prefix/name");
  assert.equal(path(extension("L", Buffer.from("long\0")), named), "long");
  assert.equal(path(extension("L", Buffer.from("long\0")), pax("12 path=pax\n"), named), "pax");
  assert.equal(path(pax("12 path=pax\n"), extension("L", Buffer.from("long\0")), named), "pax");
  assert.equal(path(block({ 0: "name\0", 257: "ustar  \0", 345: "prefix\0" })), "name");
  assert.equal(path(block({ 0: "name\0", 257: "\0\0\0\0\0\0\0\0", 345: "prefix\0" })), "name");
});

test("PAX overrides do not reach the headers in between (advisory: smuggled entries)", () => {
  // A size in the x header must not stretch the L header behind it.
  const stream = Buffer.concat([
    pax("12 size=600\n"),
    extension("L", Buffer.from("long\0")),
    block({}),
    Buffer.alloc(600, 1),
    tarPadding(600),
    file("after", Buffer.alloc(0)),
  ]);
  assert.deepEqual(
    parse(stream).entries.map(({ entry, body }) => [entry.path, body.length]),
    [
      ["long", 600],
      ["after", 0],
    ],
  );
});

test("global headers stay in the stream and change nothing", () => {
  const stream = Buffer.concat([extension("g", Buffer.from("12 mtime=77\n")), file("a", Buffer.alloc(0))]);
  const parsed = parse(stream);
  assert.deepEqual(parsed.bytes, stream);
  assert.equal(parsed.entries[0]?.entry.mtimeSeconds, 5n);
});

test("PAX times: fractions are scaled and cut, the first record's fraction counts, negative ones are refused", () => {
  const time = (...records: string[]) => {
    const entry = parse(Buffer.concat([pax(...records), block({})])).entries[0]?.entry;
    return [entry?.mtimeSeconds, entry?.mtimeNanoseconds];
  };
  assert.deepEqual(time("11 mtime=7\n"), [7n, 0]);
  assert.deepEqual(time("13 mtime=7.5\n"), [7n, 500_000_000]);
  assert.deepEqual(time("12 mtime=7.\n"), [7n, 0]);
  assert.deepEqual(time("24 mtime=7.123456789999\n"), [7n, 123_456_789]);
  assert.deepEqual(time("13 mtime=7.5\n", "14 mtime=8.25\n"), [8n, 500_000_000]);
  assert.throws(() => time("12 mtime=-1\n"), {
    code: "corrupt",
    message: 'Cannot read tar stream: invalid PAX mtime value: "-1"',
  });
});

test("numbers: octal with spaces, base-256 with sign, and nothing else", () => {
  const mtime = (field: string | Uint8Array) => parse(block({ 136: field })).entries[0]?.entry.mtimeSeconds;
  assert.equal(mtime(" 00000000017"), 15n);
  assert.equal(mtime("17 \0garbage "), 15n);
  assert.equal(mtime(Buffer.alloc(12)), 0n);
  assert.equal(mtime(Buffer.from("fffffffffffffffffffffffb", "hex")), -5n);
  assert.equal(mtime(Buffer.from("800000000000000100000000", "hex")), 2n ** 32n);
  assert.throws(() => mtime("0000000009\0\0"), {
    code: "corrupt",
    message: /mtime "0000000009" is not an octal number/,
  });
});

test("owners keep 32 bits; extended attributes keep every byte", () => {
  const value = "a=b\nc\0d\xff";
  const stream = Buffer.concat([
    pax(
      "18 uid=4294967297\n",
      "18 gid=4000000000\n",
      `35 SCHILY.xattr.user.note=${value}
`,
    ),
    block({}),
  ]);
  const entry = parse(stream).entries[0]?.entry;
  assert.deepEqual([entry?.uid, entry?.gid], [1, 4_000_000_000]);
  assert.deepEqual(
    [...(entry?.xattrs ?? [])],
    [["user.note", Buffer.from(value, "latin1")]].map(([k, v]) => [k, new Uint8Array(v as Buffer)]),
  );
});

const HOSTILE: [string, string, Buffer][] = [
  ["a wrong checksum", "corrupt", Buffer.concat([Buffer.from("X"), file("x", Buffer.alloc(0)).subarray(1)])],
  ["an empty path", "corrupt", block({ 0: "\0" })],
  ["two x headers", "corrupt", Buffer.concat([pax(), pax("9 path=p\n"), pax("9 path=q\n"), block({})])],
  [
    "two L headers",
    "corrupt",
    Buffer.concat([extension("L", Buffer.from("a")), extension("L", Buffer.from("b")), block({})]),
  ],
  ["an oversized extension header", "corrupt", Buffer.concat([block({ 124: "00004000001\0", 156: "x" })])],
  ["extension headers without an entry", "corrupt", Buffer.concat([pax("9 path=p\n"), END_OF_ARCHIVE])],
  ["a PAX length beyond the header", "corrupt", Buffer.concat([pax("99 path=p\n"), block({})])],
  ["a PAX record without newline", "corrupt", Buffer.concat([pax("9 path=pp"), block({})])],
  ["a PAX record without =", "corrupt", Buffer.concat([pax("7 path\n"), block({})])],
  ["a PAX size that is no number", "corrupt", Buffer.concat([pax("11 size=-1\n"), block({})])],
  ["a PAX size above 2^53", "corrupt", Buffer.concat([pax("25 size=9007199254740992\n"), block({})])],
  ["a negative base-256 size", "corrupt", block({ 124: Buffer.alloc(12, 0xff) })],
  ["an old GNU sparse file", "unsupported", block({ 156: "S", 257: "ustar  \0" })],
  ["a PAX sparse file", "unsupported", Buffer.concat([pax("22 GNU.sparse.major=1\n"), block({})])],
];

for (const [what, code, stream] of HOSTILE) {
  test(`${what} is refused`, () => {
    assert.throws(() => parse(stream), { name: "SealrootError", code });
  });
}

test("a PAX record whose length does not parse ends the list without a word", () => {
  const parsed = parse(Buffer.concat([pax("9 path=p\n", "zz path=q\n"), block({})]));
  assert.equal(parsed.entries[0]?.entry.path, "p");
});

test("property: whatever tar-stream packs, the parser reads alike and keeps byte for byte", async () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_.é-]{1,60}(\/[a-zA-Z0-9_é-]{1,80}){0,3}$/);
  const member = fc.record({
    name,
    size: fc.oneof(fc.nat(200), fc.nat(5000)),
    mode: fc.integer({ min: 1, max: 0o7777 }),
    // tar-stream itself writes no larger owner numbers.
    uid: fc.nat(0o777777),
    mtime: fc.nat(0x7fffffff),
    symlink: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { maxLength: 12 }),
      fc.array(fc.nat(60_000), { maxLength: 9 }),
      async (members, cuts) => {
        const pack = tarStream.pack();
        for (const { name, size, mode, uid, mtime, symlink } of members) {
          const common = { name, mode, uid, gid: uid, mtime: new Date(mtime * 1000) };
          if (symlink) pack.entry({ ...common, type: "symlink", linkname: "target" });
          else pack.entry(common, Buffer.alloc(size, 0x61));
        }
        pack.finalize();
        const parts: Buffer[] = [];
        for await (const part of pack as AsyncIterable<Buffer>) parts.push(part);
        const stream = Buffer.concat(parts);
        const parsed = parse(
          stream,
          cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
        );
        assert.deepEqual(parsed.bytes, stream);
        assert.deepEqual(
          parsed.entries.map(({ entry, body }) => [
            entry.kind,
            entry.path,
            entry.mode,
            entry.uid,
            entry.mtimeSeconds,
            body.length,
          ]),
          members.map(({ name, size, mode, uid, mtime, symlink }) => [
            symlink ? "symlink" : "file",
            byteStringOfText(name),
            mode,
            uid,
            BigInt(mtime),
            symlink ? 0 : size,
          ]),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("property: any bytes give a result or a SealrootError", () => {
  const start = Buffer.concat([
    pax("9 path=p\n"),
    file("a", Buffer.alloc(100, 1)),
    file("b", Buffer.alloc(3)),
    END_OF_ARCHIVE,
  ]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(start.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (edits) => {
      const broken = Buffer.from(start);
      for (const [at, value] of edits) broken[at] = value;
      try {
        assert.deepEqual(parse(broken).bytes, broken);
      } catch (error) {
        assert.equal((error as Error).name, "SealrootError", String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("the vectors' layers are kept byte for byte", async () => {
  const vectors = new URL("../vectors/repo/", import.meta.url).pathname;
  const cases = (await readdir(vectors)).filter((name) => /^(0|1[0-3])/.test(name));
  for (const name of cases) {
    // The layout archive is itself a tar stream; its entries are the blobs.
    const archive = gunzipSync(await readFile(join(vectors, name, "layout.tar.gz")));
    const parsed = parse(archive, [], 1 << 20);
    assert.deepEqual(parsed.bytes, archive);
    assert.ok(parsed.entries.length >= 5);
  }
  assert.ok(cases.length >= 12);
});

test("memory does not grow with the size of a body", async () => {
  let streamed = 0;
  const parser = new TarParser({ inline: () => {}, entry: () => {}, body: (part) => (streamed += part.length) }, 64);
  const sizeBytes = 1 << 30;
  parser.push(encodeTarHeader({ ...FILE, path: byteStringOfText("big"), sizeBytes }));
  const part = Buffer.alloc(1 << 20);
  for (let sent = 0; sent < sizeBytes; sent += part.length) parser.push(part);
  parser.push(END_OF_ARCHIVE);
  parser.finish();
  assert.equal(streamed, sizeBytes);
});

test("a body of more than 16 MiB is refused where nobody would look at it", () => {
  // A layer of a few kilobytes could make the writer of its split stream keep gigabytes of zeros.
  const size = `${(2 ** 33 - 1).toString(8)}\0`;
  const message = "Cannot read tar stream: 8589934591 bytes of body for what is no file, over 16777216";
  for (const flag of ["5", "g"]) {
    assert.throws(() => parse(block({ 124: size, 156: flag })), { code: "unsupported", message });
  }
});
