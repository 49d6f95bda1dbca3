/** SECURITY.md promises nothing without a test, and names no test that is not there. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "./sources.ts";

const text = readFileSync(join(CHECKOUT, "SECURITY.md"), "utf8");
const TEST_FILES = /\btest\/[\w./-]+/g;

/** The text below a heading of the second level. */
function section(heading: string): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(found !== undefined, heading);
  return found;
}

test("every test that SECURITY.md names exists", () => {
  const named = text.match(TEST_FILES) ?? [];
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.filter((path) => !path.endsWith(".test.ts") || !existsSync(join(CHECKOUT, path))),
    [],
  );
});

test("every promise names its test", () => {
  const promises = section("What sealroot promises").split(/^(?=\d+\. )/m);
  const numbers = promises.slice(1).map((promise) => Number.parseInt(promise, 10));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
  );
  assert.deepEqual(
    promises.slice(1).filter((promise) => !promise.includes("test/")),
    [],
  );
});

test("every attack has a test in a virtual machine, or the reason why not", () => {
  const rows = section("Attacks that were found, and what stops them")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.ok(rows.length >= 8);
  for (const [, attack = "", guard = "", tests = "", reason = ""] of rows) {
    assert.ok(attack !== "" && guard !== "", attack);
    assert.match(tests, /^test\//, attack);
    assert.equal(reason === "", tests.includes("test/vm/"), `${attack}: a test in test/vm, or a reason`);
  }
});
