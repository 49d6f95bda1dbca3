import assert from "node:assert/strict";
import { test } from "node:test";
import { asSealrootError, oneLine, SealrootError } from "../../src/errors/index.ts";

test("a SealrootError's message is one line, whatever name is in it", () => {
  const error = new SealrootError("corrupt", "Cannot read a\nstatus: ok\x1b[2J\x7f\u0085\u2028: bad");
  assert.equal(error.message, "Cannot read a\\nstatus: ok\\u001b[2J\\u007f\\u0085\\u2028: bad");
});

test("asSealrootError() escapes the message of what it wraps", () => {
  const error = asSealrootError(new Error("no such file 'a\rb\tc'"), "Cannot open it");
  assert.deepEqual([error.code, error.message], ["failed", "Cannot open it: no such file 'a\\rb\\tc'"]);
});

test("a SealrootError's message ends after 2000 characters", () => {
  const { message } = new SealrootError("corrupt", "x".repeat(5000));
  assert.equal(message, `${"x".repeat(1999)}…`);
});

test("oneLine() leaves every other character alone", () => {
  assert.equal(oneLine("Größe 🙂 \\ \u00a0 ok"), "Größe 🙂 \\ \u00a0 ok");
});
