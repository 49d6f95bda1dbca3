import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { menuText, RECIPES } from "../../scripts/recipes.ts";

const justfile = readFileSync(new URL("../../justfile", import.meta.url), "utf8");

test("the justfile offers the recipes of ./just, in the same words and order, as one-line calls", () => {
  const recipes = [...justfile.matchAll(/^# (.+)\n([a-z-]+)(?: \*words)?:\n {4}(.+)$/gm)].map(
    ([, summary, name, command]) => ({ name, summary, command: command?.replace(" {{words}}", "") }),
  );
  assert.deepEqual(
    recipes,
    RECIPES.map(({ name, summary }) => ({ name, summary, command: `./just ${name}` })),
  );
});

test("the justfile shows the menu when no recipe is named", () => {
  assert.match(justfile, /^_default:\n {4}@\.\/just$/m);
});

test("the menu lists every recipe with its summary", () => {
  for (const { name, summary } of RECIPES) assert.match(menuText(), new RegExp(`^    ${name} +${summary}$`, "m"));
});
