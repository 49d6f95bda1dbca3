/** docs/bootc.md: the table has every verb and option of bootc, and what it says of them is so. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { optionsOf } from "../../src/cli/common-options.ts";
import { readDocument } from "./markdown.ts";

const VERBS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "../vectors/bootc/verbs.json"), "utf8"),
).verbs;
const VERDICTS = ["same", "better", "refused", "not yet"];

interface Row {
  readonly verb: string;
  readonly options: readonly string[];
  readonly verdict: string;
  readonly remark: string;
}

function rows(): Row[] {
  const lines = readDocument("bootc.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [, verb = "", options = "", verdict = "", remark = ""] = line.split("|").map((cell) => cell.trim());
    const names = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    return { verb: names(verb)[0] ?? "", options: names(options), verdict, remark };
  });
}

/** Long names of a verb's options, and those that are hidden; undefined for a verb that there is not. */
async function optionsHere(verb: string): Promise<{ all: Set<string>; hidden: Set<string> } | undefined> {
  const entry = COMMANDS.find(({ path }) => path.join(" ") === verb);
  if (entry === undefined) return undefined;
  const options = optionsOf(await entry.load());
  const names = (hidden: boolean) =>
    new Set(
      options
        .filter((option) => !hidden || option.hidden === true)
        .flatMap(({ flags }) => [...flags.matchAll(/--[a-z-]+/g)].map(([name]) => name)),
    );
  return { all: names(false), hidden: names(true) };
}

test("every verb and option of bootc stands in the table once, and nothing else does", () => {
  const table = rows();
  const told = table.flatMap(({ verb, options }) => options.map((option) => `${verb} ${option}`));
  const known = Object.entries(VERBS).flatMap(([verb, options]) => options.map((option) => `${verb} ${option}`));
  assert.deepEqual(told.toSorted(), known.toSorted());
  assert.deepEqual([...new Set(table.map(({ verb }) => verb))].sort(), Object.keys(VERBS).sort());
  assert.deepEqual(
    table.filter(({ verdict }) => !VERDICTS.includes(verdict)),
    [],
  );
  assert.deepEqual(
    table.filter(({ verdict, remark }) => verdict === "better" && remark === ""),
    [],
    "what is better is said",
  );
});

test("what is the same or better is there; what is refused or not there yet is not, or is hidden and refuses", async () => {
  const internal = new Map([["internals fsck", "fsck"]]);
  for (const { verb, options, verdict } of rows()) {
    const here = await optionsHere(internal.get(verb) ?? verb);
    const label = `${verb} ${options.join(" ")}: ${verdict}`;
    if (verdict === "same" || verdict === "better") {
      assert.ok(here !== undefined, label);
      for (const option of options) assert.ok(here.all.has(option), `${label}: ${option}`);
    } else if (here !== undefined) {
      assert.notDeepEqual(options, [], `${label}: the verb is there`);
      for (const option of options) {
        assert.ok(!here.all.has(option) || here.hidden.has(option), `${label}: ${option} is offered`);
      }
    }
  }
});
