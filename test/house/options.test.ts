import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { NOT_YET } from "../../src/cli/unknown-verb.ts";
import { CHECKOUT } from "./sources.ts";

const READ = /\binvocation\.(?:flag|negated|option|list)\("([a-z-]+)"\)/g;

test("a verb reads no option that it does not have", async () => {
  const table = readFileSync(join(CHECKOUT, "src/cli/commands.ts"), "utf8");
  const files = [...table.matchAll(/import\("\.\/(verbs\/[a-z-]+\.ts)"\)/g)].map(([, path = ""]) => path);
  assert.equal(files.length, COMMANDS.length);
  const unknown: string[] = [];
  for (const file of new Set(files)) {
    const flags = await Promise.all(
      COMMANDS.filter((_, index) => files[index] === file).map(async ({ load }) => {
        const { options = [] } = await load();
        return options.map((option) => option.flags).join(" ");
      }),
    );
    const source = readFileSync(join(CHECKOUT, "src/cli", file), "utf8");
    for (const [, name] of source.matchAll(READ)) {
      const isDeclared = new RegExp(`--(?:no-)?${name}(?![a-z-])`).test(flags.join(" "));
      if (!isDeclared) unknown.push(`${file} reads --${name}`);
    }
  }
  assert.deepEqual(unknown, []);
});

test("what is said to be not there yet is not there", () => {
  const paths = COMMANDS.map(({ path }) => path.join(" "));
  assert.deepEqual(
    Object.keys(NOT_YET).filter((name) => paths.includes(name)),
    [],
  );
});
