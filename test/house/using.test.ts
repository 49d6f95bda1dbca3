/**
 * What `using` holds is let go when the block is left: a promise that is returned from it without `await` goes on without.
 * `switch --plan --download-only` did so, and found no repository on a real host.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const CHECKOUT = join(import.meta.dirname, "../..");
const sources = globSync("{src,initramfs,examples,scripts,bench,test}/**/*.ts", { cwd: CHECKOUT }).sort();
const texts = new Map(sources.map((path) => [path, readFileSync(join(CHECKOUT, path), "utf8")]));

/** Names of functions that give a promise, wherever they are declared. */
const ASYNC = new Set(
  [...texts.values()].flatMap((text) =>
    [...text.matchAll(/\basync function (\w+)|\bfunction (\w+)[^{]*?\): Promise</g)].map(([, a, b]) => a ?? b ?? ""),
  ),
);

/** Lines after a `using` and inside its block that return a promise as it is. */
function faultsIn(text: string): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const indent = /^(\s*)(?:await )?using \w/.exec(line)?.[1];
    if (indent === undefined) return [];
    const after = lines.slice(index + 1);
    const end = after.findIndex((one) => one.trim() !== "" && !one.startsWith(indent));
    return after.slice(0, end === -1 ? undefined : end).flatMap((one) => {
      const called = /\breturn (?:(Promise)\.\w+|(\w+))\(/.exec(one);
      const name = called?.[2] ?? "";
      return called !== null && (called[1] !== undefined || ASYNC.has(name)) ? [one.trim()] : [];
    });
  });
}

test("a promise is awaited in the block that holds what it uses", () => {
  assert.ok(ASYNC.has("printPlan") && ASYNC.has("runStep"), "the functions are not read any more");
  assert.deepEqual(faultsIn("async () => {\n  using a = b();\n  if (c) return printPlan(a);\n}\n"), [
    "if (c) return printPlan(a);",
  ]);
  assert.deepEqual(faultsIn("async () => {\n  using a = b();\n  return await printPlan(a);\n}\n"), []);
  const faults = [...texts].flatMap(([path, text]) => faultsIn(text).map((line) => `${path}: ${line}`));
  assert.deepEqual(faults, []);
});
