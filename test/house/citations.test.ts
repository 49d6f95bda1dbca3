import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "./sources.ts";

/** A page of docs/spec, and the sections named after it: "spec/erofs.md 2.2, 2.4 and 11", "spec/boot-chain.md E". */
const CITATION =
  /(?<!(?<!docs)\/|\w)spec\/([\w.-]+\.md)((?:(?:,| and| to)? (?:\d+(?:\.\d+)*|[A-I](?:\.\d+)?)(?![\w-]))*)/g;

const cited = globSync(["{src,initramfs,test,examples,bench,scripts,bin,docs}/**/*", "*.md"], {
  cwd: CHECKOUT,
  withFileTypes: true,
})
  .filter((entry) => entry.isFile() && /\.(?:ts|md|sh|service)$|^[a-z-]+$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .filter((path) => !path.includes("/vectors/"));

test("every page and section of the specification that is cited exists", () => {
  const missing = new Set<string>();
  let count = 0;
  for (const path of cited) {
    for (const [, page = "", numbers = ""] of readFileSync(path, "utf8").matchAll(CITATION)) {
      const text = pageText(page);
      if (text === undefined) missing.add(`${path}: spec/${page}`);
      for (const [number] of numbers.matchAll(/[0-9A-I][0-9.]*(?<!\.)/g)) {
        count++;
        if (text !== undefined && !hasSection(text, number)) missing.add(`${path}: spec/${page} ${number}`);
      }
    }
  }
  assert.deepEqual([...missing], []);
  assert.ok(count > 200, `only ${count} citations were found`);
});

test("no comment cites a page outside the checkout", () => {
  const wrong = cited.filter((path) => {
    // A folder of the sources has that name too: its files are imported.
    return /(?<![\w/-])(?:design|style|house)\.md|\.\.\/shared\/(?![\w-]+\.ts")/.test(readFileSync(path, "utf8"));
  });
  assert.deepEqual(wrong, []);
});

function pageText(page: string): string | undefined {
  const path = join(CHECKOUT, "docs/spec", page);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** A heading of that number, or a numbered step of its section ("8.10": step 10 in section 8). */
function hasSection(text: string, number: string): boolean {
  const escaped = number.replaceAll(".", "\\.");
  if (new RegExp(`^#+ ${escaped}\\.? `, "m").test(text)) return true;
  const [section = "", step] = number.split(".");
  const body = new RegExp(`^## ${section}\\. [^]*?(?=^## |$(?![^]))`, "m").exec(text)?.[0];
  return step !== undefined && body !== undefined && new RegExp(`^${step}\\. `, "m").test(body);
}
