import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCommandLineLength } from "../../src/bls/index.ts";

test("checkCommandLineLength() counts the bytes that the kernel gets", () => {
  checkCommandLineLength("x".repeat(2047), "x64", "the line");
  for (const text of ["x".repeat(2048), `${"x".repeat(2046)}ü`, `${"x".repeat(2045)}€`, `${"x".repeat(2044)}😀`]) {
    const size = Buffer.byteLength(text);
    assert.equal(size, 2048);
    assert.throws(() => checkCommandLineLength(text, "x64", "the line"), {
      code: "unsupported",
      message: `Cannot use the line: it has ${size} bytes, the kernel keeps 2047`,
    });
  }
});
