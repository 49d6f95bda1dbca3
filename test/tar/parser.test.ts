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
import { block, extension, FILE, file, pax, record } from "./blocks.ts";

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
    message: 'Cannot read tar stream after "f": an object is where no file body is due',
    data: { offset: 1512 },
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

test("a stream cut anywhere inside an entry is refused, naming the entry or the one before it", () => {
  const first = file("first", Buffer.alloc(0));
  const entry = Buffer.concat([pax("30 mtime=1234567890.123456789\n"), file("a", Buffer.alloc(100, 1))]);
  const stream = Buffer.concat([first, entry]);
  for (let length = first.length + 1; length < stream.length; length++) {
    const where = length < first.length + 1536 ? 'stream after "first"' : 'entry "a"';
    assert.throws(() => parse(stream.subarray(0, length)), {
      code: "corrupt",
      message: `Cannot read tar ${where}: unexpected end inside an entry`,
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

test("PAX times: fractions are scaled and cut, the first record's fraction counts", () => {
  const time = (...records: string[]) => {
    const entry = parse(Buffer.concat([pax(...records), block({})])).entries[0]?.entry;
    return [entry?.mtimeSeconds, entry?.mtimeNanoseconds];
  };
  assert.deepEqual(time("11 mtime=7\n"), [7n, 0]);
  assert.deepEqual(time("13 mtime=7.5\n"), [7n, 500_000_000]);
  assert.deepEqual(time("12 mtime=7.\n"), [7n, 0]);
  assert.deepEqual(time("24 mtime=7.123456789999\n"), [7n, 123_456_789]);
  assert.deepEqual(time("13 mtime=7.5\n", "14 mtime=8.25\n"), [8n, 500_000_000]);
  // Before 1970 the fraction counts backwards, as the seconds do.
  assert.deepEqual(time("12 mtime=-1\n"), [-1n, 0]);
  assert.deepEqual(time("15 mtime=-1.25\n"), [-2n, 750_000_000]);
  assert.deepEqual(time("22 mtime=-0.000000001\n"), [-1n, 999_999_999]);
  assert.deepEqual(time("12 mtime=-0\n"), [0n, 0]);
  const lowest = -(2n ** 63n) + 1n;
  assert.deepEqual(time(record("mtime", String(lowest))), [lowest, 0]);
  for (const value of ["-9223372036854775808", "18446744073709551616", "-", "1-", "--1", "1e3", "1.-5", " 1", ".5"]) {
    assert.throws(() => time(record("mtime", value)), {
      code: "corrupt",
      message: `Cannot read tar entry "x": invalid PAX mtime value: "${value}"`,
    });
  }
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

test("links, devices, fifos and directories have no body, whatever their size field or a PAX record says", () => {
  const kinds = {
    "1": "hardlink",
    "2": "symlink",
    "3": "character-device",
    "4": "block-device",
    "5": "directory",
    "6": "fifo",
    "\0": "directory",
  };
  for (const magic of ["ustar\0" + "00", "ustar  \0"]) {
    for (const [flag, kind] of Object.entries(kinds)) {
      const fields = { 0: "x/\0", 156: flag, 157: "a", 257: magic };
      for (const entry of [
        block({ ...fields, 124: "00000001130\0" }),
        Buffer.concat([pax("12 size=600\n"), block(fields)]),
      ]) {
        const stream = Buffer.concat([file("a", Buffer.from("abc")), entry, file("c", Buffer.from("after"))]);
        const parsed = parse(stream);
        assert.deepEqual(
          parsed.entries.map(({ entry: { kind, path, sizeBytes, storedBytes }, body }) => [
            ...[kind, path, sizeBytes, storedBytes, body.toString()],
          ]),
          [
            ["file", "a", 3, 3, "abc"],
            [kind, "x/", 0, 0, ""],
            ["file", "c", 5, 5, "after"],
          ],
        );
        assert.deepEqual(parsed.bytes, stream);
      }
    }
  }
});

test("a body after what has none is refused, naming the entry", () => {
  const entry = block({ 0: "usr/x\0", 124: "00000001130\0", 156: "6" });
  assert.throws(() => parse(Buffer.concat([entry, Buffer.alloc(600, 1), tarPadding(600), END_OF_ARCHIVE])), {
    code: "corrupt",
    message:
      'Cannot read tar entry "usr/x": no header follows, and entries of its type have no body, though it states 600 bytes',
    data: { offset: 512, path: "usr/x" },
  });
});

test("a file whose name ends with a slash is a directory; with a body, readers see different things in it", () => {
  for (const flag of ["0", "7", "\0"]) {
    const parsed = parse(Buffer.concat([block({ 0: "x/\0", 156: flag }), file("x/c", Buffer.from("1"))]));
    assert.deepEqual(
      parsed.entries.map(({ entry }) => [entry.kind, entry.path]),
      [
        ["directory", "x/"],
        ["file", "x/c"],
      ],
    );
  }
  for (const flag of ["0", "7"]) {
    assert.throws(() => parse(block({ 0: "x/\0", 124: "00000000012\0", 156: flag })), {
      code: "corrupt",
      message:
        'Cannot read tar entry "x/": a file of 10 bytes whose name ends with a slash, which is a directory to other readers',
    });
  }
});

test("ustar is known by its magic, whatever the version says; star's prefix ends before its times", () => {
  const path = (fields: { [offset: number]: string }) => parse(block(fields)).entries[0]?.entry.path;
  const named = { 0: "name\0", 345: "prefix\0" };
  for (const version of ["00", "\0\0", "  ", "01"]) {
    assert.equal(path({ ...named, 257: `ustar\0${version}` }), "prefix/name", JSON.stringify(version));
  }
  // Neither ustar nor GNU tar's: no reader looks for a prefix.
  for (const magic of ["ustar 00", "ustar   ", "USTAR\0" + "00", "\0\0\0\0\0\0\0\0"]) {
    assert.equal(path({ ...named, 257: magic }), "name", JSON.stringify(magic));
  }
  const prefix = "p".repeat(131);
  const star = { 0: "name\0", 257: "ustar\0" + "00", 345: `${prefix}00000000017 00000000020 `, 508: "tar\0" };
  const entry = parse(block(star)).entries[0]?.entry;
  assert.deepEqual(
    [entry?.path, entry?.accessTimeNs, entry?.changeTimeNs],
    [`${prefix}/name`, 15_000_000_000n, 16_000_000_000n],
  );
});

test("extension headers count in every form of header", () => {
  for (const magic of ["ustar\0" + "00", "ustar  \0", "\0\0\0\0\0\0\0\0"]) {
    const extension = block({ 124: "00000000014\0", 156: "x", 257: magic });
    const body = Buffer.from("12 path=long".padEnd(12, "\n"));
    const records = Buffer.concat([Buffer.from("12 path=pax\n"), tarPadding(12)]);
    assert.equal(body.length, 12);
    assert.equal(parse(Buffer.concat([extension, records, block({ 257: magic })])).entries[0]?.entry.path, "pax");
  }
});

test("an empty PAX value leaves the header's own field", () => {
  const records = ["path", "linkpath", "size", "uid", "gid", "mtime"].map((key) => record(key, ""));
  const entry = parse(Buffer.concat([pax(...records), file("a", Buffer.from("abc"))])).entries[0]?.entry;
  assert.deepEqual([entry?.path, entry?.sizeBytes, entry?.uid, entry?.mtimeSeconds], ["a", 3, 0, 5n]);
});

test("a checksum made of signed characters is right too", () => {
  const bytes = block({ 0: "\xe9\xff\0" });
  const unsigned = Number.parseInt(bytes.toString("latin1", 148, 154), 8);
  bytes.write(`${(unsigned - 512).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  assert.equal(parse(bytes).entries[0]?.entry.path, "\xe9\xff");
  bytes.write(`${(unsigned - 256).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  assert.throws(() => parse(bytes), {
    code: "corrupt",
    message: "Cannot read tar stream: header checksum is wrong",
    data: { expected: String(unsigned - 256), actual: String(unsigned), offset: 0 },
  });
});

test("device numbers: octal or base-256, and never more than Linux has bits for", () => {
  const device = (major: string | Uint8Array, minor: string | Uint8Array) =>
    parse(block({ 0: "dev/x\0", 156: "3", 329: major, 337: minor })).entries[0]?.entry.device;
  const base256 = (value: number) => {
    const field = Buffer.alloc(8);
    field.writeUInt32BE(value, 4);
    field[0] = 0x80;
    return field;
  };
  assert.deepEqual(device("0000005\0", "0000001\0"), { major: 5, minor: 1 });
  assert.deepEqual(device("0007777\0", "3777777\0"), { major: 4095, minor: 1_048_575 });
  assert.deepEqual(device(base256(4095), base256(1_048_575)), { major: 4095, minor: 1_048_575 });
  for (const [major, minor, shown] of [
    ["0010000\0", "0000000\0", "4096:0"],
    ["0000001\0", "4000000\0", "1:1048576"],
    [base256(4096), base256(0), "4096:0"],
    [base256(2 ** 32 - 1), base256(1), "4294967295:1"],
    [Buffer.alloc(8, 0xff), base256(1), "-1:1"],
  ] as const) {
    assert.throws(() => device(major, minor), {
      code: "corrupt",
      message: `Cannot read tar entry "dev/x": device number ${shown} does not exist on Linux`,
      data: { expected: "up to 4095:1048575", actual: shown, offset: 0, path: "dev/x" },
    });
  }
});

test("a size on which readers disagree is refused", () => {
  const refusal = (field: string | Uint8Array, message: string) =>
    assert.throws(() => parse(block({ 124: field })), { code: "corrupt", message });
  // Go and GNU tar skip the NUL, Python and bsdtar see an empty field.
  refusal(
    "\x000000000017",
    'Cannot read tar entry "x": size begins with a NUL, and readers disagree about what follows',
  );
  const beyond = Buffer.from("800000010000000000000005", "hex");
  refusal(beyond, 'Cannot read tar entry "x": size 18446744073709551621 is out of range');
  assert.equal(parse(block({ 124: Buffer.alloc(12) })).entries[0]?.entry.sizeBytes, 0);
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
  for (const [flag, where] of [
    ["Z", 'entry "x"'],
    ["g", "stream"],
  ] as const) {
    const message = `Cannot read tar ${where}: 8589934591 bytes of body for what is no file, over 16777216`;
    assert.throws(() => parse(block({ 124: size, 156: flag })), { code: "unsupported", message });
  }
});
