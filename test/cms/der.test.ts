import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "../../src/bytes/index.ts";
import { checkDer, derContent } from "../../src/cms/der.ts";
import { failsWith } from "../pe/keys.ts";

test("checkDer() accepts exactly one well-framed element", () => {
  for (const hex of ["0500", "3000", "300530030101ff", `04820100${"00".repeat(256)}`, `048180${"00".repeat(128)}`]) {
    assert.equal(checkDer(fromHex(hex), "test").end, hex.length / 2);
  }
  assert.deepEqual(Buffer.from(derContent(fromHex("0403616263"), "test")), Buffer.from("abc"));
});

test("checkDer() refuses what DER does not allow", () => {
  const cases: readonly [hex: string, message: RegExp][] = [
    ["", /DER element cut short at offset 0/],
    ["30", /DER element cut short at offset 0/],
    ["050000", /1 bytes follow the DER element/],
    ["3080", /indefinite length/],
    ["30800000", /indefinite length/],
    ["04810161", /non-minimal DER length/],
    ["0482000161", /non-minimal DER length/],
    ["0482007f", /non-minimal DER length/],
    ["048400000001", /DER length above 16 MiB/],
    ["3f0100", /DER tag number above 30/],
    ["0402ff", /element of 2 bytes runs past its container/],
    ["30030403ff", /element of 3 bytes runs past its container at offset 2/],
    ["300130", /DER element cut short at offset 2/],
  ];
  for (const [hex, message] of cases)
    assert.throws(() => checkDer(fromHex(hex), "test"), failsWith("corrupt", message), hex);
});

test("checkDer() refuses endless nesting without using the stack", () => {
  let nested = Buffer.from([0x30, 0x00]);
  for (let depth = 0; depth < 60; depth++) nested = Buffer.concat([Buffer.from([0x30, nested.length]), nested]);
  assert.throws(() => checkDer(nested, "test"), failsWith("corrupt", /nested deeper than 32 levels/));
});
