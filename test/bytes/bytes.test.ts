import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  alignUp,
  ByteCursor,
  ByteWriter,
  byteString,
  byteStringOfText,
  bytesOf,
  compareByteStrings,
  displayText,
  fromHex,
  isLowerHex,
  toHex,
  withoutPadding,
  xxh32,
} from "../../src/bytes/index.ts";
import { SealrootError } from "../../src/errors/index.ts";

test("xxh32() equals the check values of the EROFS name filter (spec/erofs.md 3.3)", () => {
  const values: [number, string, number][] = [
    [4, "overlay.opaque", 0x4ce0a7f4],
    [4, "overlay.metacopy", 0xdbe5e05f],
    [4, "overlay.overlay.whiteouts", 0x46dd3e0c],
    [6, "selinux", 0x9490146b],
    [2, "", 0x0857597e],
    [1, "a", 0x371a8cd5],
    [0, "lustre.lov", 0x2f70bfc9],
  ];
  for (const [index, suffix, expected] of values) {
    assert.equal(xxh32(Buffer.from(suffix), 0x25bbe08f + index), expected, `${index} ${suffix}`);
  }
});

test("ByteString orders as memcmp does and returns its bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.deepEqual(Uint8Array.from(bytesOf(byteString(a))), a);
      assert.equal(Math.sign(compareByteStrings(byteString(a), byteString(b))), Math.sign(Buffer.compare(a, b)));
    }),
  );
  assert.equal(displayText(byteStringOfText("Größe")), "Größe");
  assert.equal(byteStringOfText("ß").length, 2);
});

test("ByteCursor reads what ByteWriter wrote", () => {
  const written = new ByteWriter(1)
    .u8(0xfe)
    .u16(0xfedc)
    .u32(0xfedcba98)
    .u64(-2n)
    .u64(2 ** 40)
    .latin1("\xff\x00")
    .bytes(Uint8Array.of(1, 2, 3))
    .padTo(8)
    .finish();
  assert.equal(written.length, 32);
  const cursor = new ByteCursor(written, "test");
  assert.deepEqual(
    [cursor.u8(), cursor.u16(), cursor.u32(), cursor.i64(), cursor.size()],
    [0xfe, 0xfedc, 0xfedcba98, -2n, 2 ** 40],
  );
  assert.deepEqual([...cursor.take(5)], [255, 0, 1, 2, 3]);
  assert.equal(cursor.remaining, 4);
});

test("ByteCursor refuses to read past the end and names offset and input", () => {
  const cursor = new ByteCursor(new Uint8Array(5), "toy image", 2);
  assert.throws(
    () => cursor.u32(),
    (error: SealrootError) => {
      assert.equal(error.code, "corrupt");
      assert.equal(error.message, "Cannot read toy image: 4 bytes wanted at offset 2, 3 left");
      assert.equal(error.data.offset, 2);
      return true;
    },
  );
  assert.throws(() => new ByteCursor(new Uint8Array(8).fill(255), "x").size(), SealrootError);
});

test("hex is read strictly and written in lower case", () => {
  assert.equal(toHex(fromHex("00fFaB")), "00ffab");
  for (const bad of ["0", "0g", " 00", "abc", "00\u0130\u0131", "00 "])
    assert.throws(() => fromHex(bad), SealrootError);
});

test("alignUp() rounds up to any positive multiple", () => {
  assert.deepEqual(
    [alignUp(0, 8), alignUp(1, 8), alignUp(8, 8), alignUp(2 ** 40 + 1, 4096)],
    [0, 8, 8, 2 ** 40 + 4096],
  );
});

test("isLowerHex() takes the sixteen digits and none of their neighbours", () => {
  assert.equal(isLowerHex("0123456789abcdef"), true);
  for (const other of ["/", ":", "A", "F", "`", "g", " ", "\u0130"])
    assert.equal(isLowerHex(`0${other}`), false, other);
});

test("withoutPadding() takes off NULs and line feeds at the end only, and no longer for a hostile run of them", () => {
  const trimmed = (text: string) => Buffer.from(withoutPadding(Buffer.from(text))).toString();
  assert.deepEqual(["", "\0", "\n\0\n", "a", "a\0\n", "\0a\n\nb\0"].map(trimmed), ["", "", "", "a", "a", "\0a\n\nb"]);
  const hostile = Buffer.concat([Buffer.alloc(1 << 24), Buffer.from("x\0")]);
  const begin = performance.now();
  assert.equal(withoutPadding(hostile).length, hostile.length - 1);
  assert.ok(performance.now() - begin < 1000);
});
