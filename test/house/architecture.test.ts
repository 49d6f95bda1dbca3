import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "./sources.ts";

/** Rows of "Where to find it": the question, and the cell that names files. */
const ROW = /^\| ([^|]+\?) \| ([^|]+) \|$/gm;

const page = readFileSync(join(CHECKOUT, "docs/architecture.md"), "utf8");
const table = /^## Where to find it$[\s\S]*?(?=^## )/m.exec(page)?.[0] ?? "";

/**
 * The paths that a cell names. A name without a folder lies beside the path named last; a star stands for some of the
 * files of a folder.
 */
function namedPaths(cell: string): string[] {
  let folder = "";
  return [...cell.matchAll(/`([^`\s]+)`/g)].map(([, name = ""]) => {
    const path = name.includes("/") ? name : join(folder, name);
    folder = path.endsWith("/") ? path : dirname(path);
    return path;
  });
}

test("where to find it: every file and folder that the table names exists", () => {
  const rows = [...table.matchAll(ROW)];
  const heads = 1;
  assert.equal(rows.length + heads, table.match(/^\| /gm)?.length, "a row that this test cannot read");
  const missing: string[] = [];
  for (const [, question, cell = ""] of rows) {
    const paths = namedPaths(cell);
    if (paths.length === 0) missing.push(`${question} no file`);
    for (const path of paths) {
      if (globSync(path, { cwd: CHECKOUT }).length === 0) missing.push(`${question} ${path}`);
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(rows.length > 30, `only ${rows.length} rows were found`);
});

test("every other file that the page names by its path exists", () => {
  const paths = [...page.matchAll(/`((?:src|initramfs|test|scripts|docs)\/[^`\s]+)`/g)].map(([, path = ""]) => path);
  assert.deepEqual(
    paths.filter((path) => globSync(path, { cwd: CHECKOUT }).length === 0),
    [],
  );
});

test("the rooms: the drawing names every folder of src/", () => {
  const drawing = /^## The rooms$[\s\S]*?^```\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "";
  const words = new Set(drawing.match(/[a-z0-9]+/g));
  const rooms = globSync("src/*/", { cwd: CHECKOUT }).map((path) => path.split("/")[1] ?? "");
  assert.deepEqual(
    rooms.filter((room) => !words.has(room)),
    [],
  );
});
