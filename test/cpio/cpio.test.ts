import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { type ByteString, byteString, byteStringOfText } from "../../src/bytes/index.ts";
import {
  type CpioEntry,
  joinInitramfs,
  readCpio,
  summarizeInitramfs,
  type Unpackers,
  walkInitramfs,
  writeCpio,
} from "../../src/cpio/index.ts";
import { SealrootError } from "../../src/errors/index.ts";

const name = byteStringOfText;
const file = (path: string, text: string): CpioEntry => ({
  kind: "file",
  path: name(path),
  mode: 0o644,
  bytes: Buffer.from(text),
});
const link = (path: string, target: string): CpioEntry => ({
  kind: "symlink",
  path: name(path),
  mode: 0o777,
  target: name(target),
});

/** Gzip streams of these tests end where their length says: 4 bytes in front of the stream. */
function packed(archive: Uint8Array): Uint8Array {
  return gzipSync(archive);
}
const unpackers: Unpackers = {
  gzip: (compressed) => {
    for (const length of streamLengths) {
      if (length > compressed.length) continue;
      const bytes = gunzipSync(compressed.subarray(0, length));
      return { bytes, consumedBytes: length };
    }
    throw new Error("unknown stream");
  },
  zstd: () => {
    throw new Error("no zstd in these tests");
  },
};
let streamLengths: number[] = [];

test("writeCpio() writes newc headers, padding and trailer to the letter", () => {
  const archive = writeCpio([file("a", "xyz"), { kind: "directory", path: name("D"), mode: 0o755 }]);
  const header = (fields: string, entry: string) => `070701${fields}${entry}`;
  const zero = "00000000";
  const one = "00000001";
  const expected =
    header(`${one}000041ed${zero}${zero}${one}${zero}${zero}${zero}${zero}${zero}${zero}00000002${zero}`, "D\0") +
    header(`00000002000081a4${zero}${zero}${one}${zero}00000003${zero}${zero}${zero}${zero}00000002${zero}`, "a\0") +
    "xyz\0" +
    header(
      `${zero}${zero}${zero}${zero}${one}${zero}${zero}${zero}${zero}${zero}${zero}0000000b${zero}`,
      "TRAILER!!!\0",
    );
  assert.equal(byteString(archive), expected.padEnd(512, "\0"));
});

test("writeCpio() gives the same bytes for any order of the entries", () => {
  const entries = [file("b", "1"), file("a", "2"), link("a0", "b")];
  assert.deepEqual(writeCpio(entries), writeCpio(entries.toReversed()));
});

test("writeCpio() refuses names given twice or out of normal form", () => {
  assert.throws(() => writeCpio([file("a", ""), file("a", "x")]), { code: "conflict", message: /"a" is given twice/ });
  for (const path of ["", "/a", "a/", "a//b", "./a", "a/../b", "a\0b"]) {
    assert.throws(() => writeCpio([file(path, "")]), { code: "usage" });
  }
});

const entryArbitrary: fc.Arbitrary<CpioEntry> = fc
  .record({
    path: fc.stringMatching(/^[a-z\xe4\n]{1,9}(\/[a-z ]{1,3}){0,2}$/).map((text) => text as ByteString),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    bytes: fc.uint8Array({ maxLength: 9 }),
    device: fc.nat(0xffff),
    kind: fc.constantFrom("file", "directory", "symlink", "character-device", "block-device", "fifo", "socket"),
  })
  .map(({ path, mode, bytes, device, kind }): CpioEntry => {
    if (kind === "file") return { kind, path, mode, bytes };
    if (kind === "symlink") return { kind, path, mode, target: byteString(bytes) };
    if (kind === "character-device" || kind === "block-device") return { kind, path, mode, major: device, minor: 7 };
    return { kind: kind as "directory" | "fifo" | "socket", path, mode };
  });

test("readCpio() gives back what writeCpio() was given", () => {
  fc.assert(
    fc.property(fc.uniqueArray(entryArbitrary, { selector: (entry) => entry.path }), (entries) => {
      const archive = readCpio(writeCpio(entries));
      const plain = archive.entries.map((entry) =>
        entry.kind === "file" ? { ...entry, bytes: Uint8Array.from(entry.bytes) } : entry,
      );
      assert.deepEqual(
        plain,
        entries.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      );
    }),
  );
});

test("readCpio() refuses every cut and survives every changed byte", () => {
  const archive = writeCpio([file("dir/a", "hello"), link("dir/b", "a")]);
  const { endOffset } = readCpio(archive);
  for (let length = 0; length < endOffset - 3; length++) {
    assert.throws(() => readCpio(archive.subarray(0, length)), { code: "corrupt" }, `cut at ${length}`);
  }
  for (let at = 0; at < endOffset; at++) {
    const changed = Uint8Array.from(archive);
    changed[at] = (changed[at] ?? 0) ^ 0x11;
    try {
      readCpio(changed);
    } catch (error) {
      assert.ok(error instanceof SealrootError, `byte ${at}: ${error}`);
    }
  }
});

test("walkInitramfs() finds plain and compressed archives with zeros between them", () => {
  const early = writeCpio([file("kernel/x86/microcode", "m")]);
  const main = packed(
    writeCpio([file("init", "#!/bin/sh"), file("scripts/functions", ""), file("conf/initramfs.conf", "")]),
  );
  const extension = writeCpio([file("init", "later"), file("usr/lib/modules/6.12.1/x.ko", "")]);
  streamLengths = [main.length];
  const initramfs = joinInitramfs(joinInitramfs(early, main), extension);
  const segments = [...walkInitramfs(initramfs, unpackers)];
  assert.deepEqual(
    segments.map(({ compression, entries }) => [compression, entries.map(({ path }) => path as string)]),
    [
      ["none", ["kernel/x86/microcode"]],
      ["gzip", ["conf/initramfs.conf", "init", "scripts/functions"]],
      ["none", ["init", "usr/lib/modules/6.12.1/x.ko"]],
    ],
  );
  const last = segments.at(-1);
  assert.deepEqual(initramfs.subarray(last?.startOffset), extension);
  assert.deepEqual(summarizeInitramfs(segments), { kind: { kind: "initramfs-tools" }, kernelReleases: ["6.12.1"] });
});

test("walkInitramfs() refuses what the kernel would pass over or stop at", () => {
  const archive = writeCpio([file("a", "b")]);
  const shifted = new Uint8Array(archive.length + 2);
  shifted.set(archive, 2);
  assert.throws(() => [...walkInitramfs(shifted, unpackers)], {
    code: "corrupt",
    message: /does not begin at a multiple of 4/,
  });
  assert.throws(() => [...walkInitramfs(Buffer.from("rubbish"), unpackers)], {
    code: "corrupt",
    message: /neither an archive/,
  });
  const xz = Buffer.from("fd377a585a0000", "hex");
  assert.throws(() => [...walkInitramfs(xz, unpackers)], { code: "unsupported", message: /compressed with xz/ });
  const nested = packed(packed(archive));
  streamLengths = [nested.length];
  assert.throws(() => [...walkInitramfs(nested, unpackers)], {
    code: "corrupt",
    message: /something other than archives/,
  });
});

test("joinInitramfs() leaves 8 to 11 zeros and begins the extension at a multiple of 4", () => {
  for (let length = 0; length < 9; length++) {
    const base = new Uint8Array(length).fill(1);
    const joined = joinInitramfs(base, Uint8Array.of(2));
    const start = joined.indexOf(2);
    assert.equal(start % 4, 0);
    assert.ok(start - length >= 8 && start - length < 12);
    assert.equal(joined.length, start + 1);
  }
});

test("summarizeInitramfs() tells the kinds apart and says why one is unknown", () => {
  const kind = (entries: CpioEntry[]) =>
    summarizeInitramfs([{ startOffset: 0, endOffset: 0, compression: "none", entries }]).kind;
  const systemd = [link("init", "usr/lib/systemd/systemd"), file("etc/initrd-release", "")];
  assert.deepEqual(kind(systemd), { kind: "systemd" });
  assert.deepEqual(kind([link("init", "/usr/lib/systemd/systemd"), link("usr/lib/initrd-release", "x")]), {
    kind: "systemd",
  });
  assert.match(JSON.stringify(kind(systemd.slice(0, 1))), /a link to usr\/lib\/systemd\/systemd/);
  assert.deepEqual(kind([]), { kind: "unknown", reason: "it has no /init" });
  assert.match(JSON.stringify(kind([file("init", ""), file("init_functions", "")])), /mkinitcpio/);
  assert.match(JSON.stringify(kind([file("init", ""), file("usr/lib/dracut/modules.txt", "")])), /dracut without/);
  assert.match(JSON.stringify(kind([file("init", "")])), /neither systemd/);
});
