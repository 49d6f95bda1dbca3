import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { firstTreeDifference, formatDump, parseDump } from "../../src/tree/index.ts";
import { bytes } from "./build.ts";

const VECTORS = new URL("../vectors/", import.meta.url);

function readVector(path: string): Uint8Array {
  const raw = readFileSync(new URL(path, VECTORS));
  return path.endsWith(".gz") ? gunzipSync(raw) : raw;
}

function parseText(text: string) {
  return parseDump(Buffer.from(text, "latin1"));
}

const ROOT = "/ 0 40755 2 0 0 0 1000.0 - - -\n";

/** Why each dump of vectors/erofs/reject is refused: line and reason. */
const REASONS: Record<string, string> = {
  "r01-dot-name": 'line 2: "." in the path',
  "r02-dotdot-name": 'line 3: ".." in the path',
  "r03-empty-component": "line 2: an empty file name in the path",
  "r04-trailing-slash": "line 2: an empty file name in the path",
  "r05-name-256": "line 2: a file name of 256 bytes, over 255",
  "r06-symlink-empty": "line 2: a symbolic link without a target",
  "r07-symlink-4096": "line 2: a link target of 4096 bytes",
  "r08-dir-hardlink": "line 3: a hard link with the mode of a directory",
  "r09-self-hardlink": "line 2: a hard link to itself",
  "r10-hardlink-missing": 'line 2: hard link target "/x" is not in the file',
  "r11-hardlink-no-payload": "line 2: a hard link without a target",
  "r12-hardlink-to-dir": 'line 3: hard link target "/d" is a directory',
  "r13-no-file-type": "line 2: mode 644 has no known file type",
  "r14-inline-5001": "line 2: content of 5001 bytes, over 5000",
  "r15-content-size": "line 2: content of 3 bytes under a size of 4",
  "r16-too-big": "line 2: size 9007199254740993 is over 9007199254740992",
  "r17-xattr-empty-key": "line 2: an extended attribute without a name",
  "r18-xattr-key-256": "line 2: an extended attribute name of 256 bytes, over 255",
  "r19-xattr-no-equals": 'line 2: extended attribute "user.k" without "="',
  "r20-xattr-space-32k": "line 2: extended attributes of more than 32767 bytes in all",
  "r21-no-root": "line 1: the first line is not the root",
  "r22-two-roots": "line 2: a second root",
  "r23-root-file": "line 1: the root is not a directory",
  "r24-no-parent": "line 2: no directory of the path's parent was listed before",
  "r25-parent-file": "line 3: no directory of the path's parent was listed before",
  "r26-duplicate": "line 3: the path was listed before",
  "r27-bad-escape": 'line 2: unknown or truncated escape in "/a\\\\q"',
  "r28-bad-hex": 'line 2: unknown or truncated escape in "/a\\\\xg0"',
  "r29-short-escape": 'line 2: unknown or truncated escape in "/a\\\\x4"',
  "r30-mtime-no-dot": 'line 2: mtime "5" is not SECONDS.NANOSECONDS',
  "r31-nul": "line 2: a NUL byte",
  "r32-bad-number": 'line 2: size "0x" is not a decimal number',
  "r33-blank-line": "line 2: 1 fields instead of at least 11",
  "r34-escaped-nul-name": "line 2: a NUL in the path",
  "r35-whiteout-hardlink": "line 3: a hard link to a whiteout",
  "r36-nsec-range": "line 2: nanoseconds 1000000000 is over 999999999",
  "r37-digest-length": 'line 2: digest "0123" is not 64 or 128 hex digits',
  "r38-digest-no-payload": "line 2: a digest without the object's path",
  "r39-rdev-on-file": "line 2: a device number on an inode that is not a device",
  "r40-negative-mtime": "line 2: mtime -5.0 is negative",
  "r41-relative-path": "line 2: the path is not absolute",
  "r42-missing-fields": "line 1: 8 fields instead of at least 11",
  "r43-trailing-space": 'line 1: extended attribute "" without "="',
  "r44-uid-33bit": "line 2: uid 4294967296 is over 4294967295",
  "r45-root-hardlink": "line 2: a hard link with the mode of a directory",
};

for (const file of readdirSync(new URL("erofs/reject/", VECTORS)).sort()) {
  const name = file.replace(/\.dump(\.gz)?$/, "");
  test(`parseDump() refuses ${name}`, () => {
    assert.throws(() => parseDump(readVector(`erofs/reject/${file}`)), {
      name: "SealrootError",
      code: "corrupt",
      message: `Cannot parse dump file: ${REASONS[name]}`,
    });
  });
}

test("formatDump() gives back every dump of the repository vectors byte for byte", () => {
  const paths = readdirSync(new URL("repo/", VECTORS), { recursive: true, encoding: "utf8" });
  const dumps = paths.filter((path) => /rootfs-.*\.dump$/.test(path)).sort();
  assert.ok(dumps.length > 20);
  for (const path of dumps) {
    const text = readVector(`repo/${path}`);
    const written = formatDump(parseDump(text, { allowNegativeTimes: true }));
    assert.equal(Buffer.from(written).toString(), Buffer.from(text).toString(), path);
  }
});

test("formatDump() of every accepted EROFS vector parses to the same tree", () => {
  const dumps = readdirSync(new URL("erofs/", VECTORS)).filter((file) => /\.dump(\.gz)?$/.test(file));
  assert.equal(dumps.length, 26);
  for (const file of dumps) {
    const tree = parseDump(readVector(`erofs/${file}`));
    assert.equal(firstTreeDifference(parseDump(formatDump(tree)), tree), undefined, file);
  }
});

test("parseDump() reads the fields as both tools do", () => {
  const root = parseText(
    `${ROOT}/a 1 100644 1 +5 0 0 1.1 - \\x2d - user.a=- user.b= user.c=x=y user.\\x3dd=1 user.a=2`,
  );
  const node = root.entries.get(bytes("a"));
  assert.ok(node?.kind === "file" && node.content.type === "inline");
  assert.equal(Buffer.from(node.content.bytes).toString(), "-");
  assert.equal(node.metadata.uid, 5);
  assert.equal(node.metadata.mtimeSeconds, 1n);
  assert.equal(node.metadata.mtimeNanoseconds, 1);
  const xattrs = [...node.metadata.xattrs].map(([name, value]) => [name, Buffer.from(value).toString()]);
  assert.deepEqual(xattrs, [
    ["user.a", "2"],
    ["user.b", ""],
    ["user.c", "x=y"],
    ["user.=d", "1"],
  ]);
});

test("parseDump() follows links that come before their targets, and chains of them", () => {
  const root = parseText(
    `${ROOT}/a 0 @100644 - - - - 0.0 /b - -\n/b 0 @120000 - - - - 0.0 /d/c - -\n/d 0 40755 2 0 0 0 1.0 - - -\n/d/c 1 100644 3 0 0 0 1.0 - c -\n`,
  );
  const c = root.entries.get(bytes("a"));
  assert.ok(c?.kind === "file");
  assert.equal(root.entries.get(bytes("b")), c);
  assert.equal(c.stated?.linkCount, undefined);
  assert.equal(c.stated?.primaryName?.name, "c");
});

test("parseDump() refuses links that name each other and, as composefs-rs, forward links", () => {
  const loop = `${ROOT}/a 0 @100644 - - - - 0.0 /b - -\n/b 0 @100644 - - - - 0.0 /a - -\n`;
  assert.throws(() => parseText(loop), { message: "Cannot parse dump file: line 2: hard links that name each other" });
  const forward = Buffer.from(`${ROOT}/a 0 @100644 - - - - 0.0 /b - -\n/b 0 100644 2 0 0 0 0.0 - - -\n`);
  assert.throws(() => parseDump(forward, { dialect: "rs" }), {
    message: /line 2: hard link target "\/b" is not in the/,
  });
});

test("parseDump() takes an empty content field for an empty file only", () => {
  const line = (sizeBytes: number) => `${ROOT}/a ${sizeBytes} 100644 1 0 0 0 1.0 -  -\n`;
  assert.equal(
    Buffer.from(formatDump(parseText(line(0))))
      .toString()
      .split("\n")[1],
    "/a 0 100644 1 0 0 0 1.0 - - -",
  );
  assert.throws(() => parseText(line(9)), { message: /line 2: content of 0 bytes under a size of 9$/ });
});

test("parseDump() takes the limits of composefs-rs when told", () => {
  for (const file of ["v22-large-inline-C.dump", "v23-long-symlink-C.dump.gz"]) {
    assert.throws(() => parseDump(readVector(`erofs/${file}`), { dialect: "rs" }), { code: "corrupt" }, file);
  }
});

test("parseDump() refuses raw bytes that are not UTF-8, an empty file and overlong attribute text", () => {
  assert.throws(() => parseText(`${ROOT}/\xff 0 100644 1 0 0 0 1.0 - - -\n`), { message: /it is not UTF-8/ });
  assert.throws(() => parseText(""), { message: "Cannot parse dump file: it is empty" });
  const long = `/a 0 100644 1 0 0 0 1.0 - - - user.a=${"\\x00".repeat(17_000)}\n`;
  assert.throws(() => parseText(ROOT + long), { message: /line 2: more than 65535 bytes of extended attributes/ });
});

test("parseDump() keeps an object's path only where it is not the digest's", () => {
  const digest = "0123456789abcdef".repeat(4);
  const own = `${digest.slice(0, 2)}/${digest.slice(2)}`;
  const root = parseText(
    `${ROOT}/a 9 100644 1 0 0 0 1.0 ${own} - ${digest.toUpperCase()}\n/b 9 100644 1 0 0 0 1.0 else - ${digest}\n/c 0 100644 1 0 0 0 1.0 ${own} - ${digest}\n`,
  );
  const contents = [...root.entries.values()].map((node) => (node.kind === "file" ? node.content : undefined));
  assert.deepEqual(contents.slice(0, 2), [
    { type: "external", sizeBytes: 9, objectId: digest },
    { type: "external", sizeBytes: 9, objectId: digest, backingPath: "else" },
  ]);
  assert.equal(contents[2]?.type, "inline");
});

test("parseDump() reads numbers of every spelling, and refuses what only looks like them", () => {
  const fieldsOf = (size: string, mode: string, mtime: string) => {
    const node = parseText(`${ROOT}/a ${size} ${mode} 1 0 0 0 ${mtime} - - -\n`).entries.get(bytes("a"));
    assert.ok(node?.kind === "file" && node.content.type === "external");
    const { mtimeSeconds, mtimeNanoseconds } = node.metadata;
    return [node.content.sizeBytes, node.metadata.mode, mtimeSeconds, mtimeNanoseconds];
  };
  assert.deepEqual(fieldsOf("9", "100644", "1.5"), [9, 0o644, 1n, 5]);
  assert.deepEqual(fieldsOf("+0000000000000000009", "104755", "0.0"), [9, 0o4755, 0n, 0]);
  const largest = "9007199254740992";
  assert.deepEqual(fieldsOf(largest, "100000", "9223372036854775807.999999999"), [
    2 ** 53,
    0,
    2n ** 63n - 1n,
    999_999_999,
  ]);
  const refused = [
    ["9", "100648", "1.5", 'mode "100648" is not octal'],
    ["9", "0100644", "1.5", 'mode "0100644" is not octal'],
    ["9", "@", "1.5", 'mode "" is not octal'],
    ["9", "100644", "1.", 'mtime "1." is not SECONDS.NANOSECONDS'],
    ["9", "100644", "1.2.3", 'mtime "1.2.3" is not SECONDS.NANOSECONDS'],
    ["9", "100644", "9223372036854775808.0", "mtime 9223372036854775808.0 does not fit 64 bits"],
    ["", "100644", "1.5", 'size "" is not a decimal number'],
  ] as const;
  for (const [size, mode, mtime, reason] of refused) {
    assert.throws(() => fieldsOf(size, mode, mtime), { message: `Cannot parse dump file: line 2: ${reason}` });
  }
});

test("parseDump() refuses a path of too many components, even below a directory that it knows", () => {
  const lines = [ROOT];
  for (let depth = 1; depth <= 2049; depth++) lines.push(`${"/d".repeat(depth)} 0 40755 2 0 0 0 1.0 - - -\n`);
  assert.throws(() => parseText(lines.join("")), {
    message: "Cannot parse dump file: line 2050: more than 2048 path components",
  });
});

test("a line of very many fields is refused by its length, and its fields are not remembered", () => {
  const text = Buffer.alloc(300 << 20, " ");
  const before = process.memoryUsage().heapUsed;
  assert.throws(() => parseDump(text), { code: "corrupt", message: /line 1: 314572800 bytes, over 4194304$/ });
  text[text.length - 2] = 0x0a;
  assert.throws(() => parseDump(text), { code: "corrupt", message: /line 1: 314572798 bytes, over 4194304$/ });
  assert.ok(process.memoryUsage().heapUsed - before < 200 << 20);
});
