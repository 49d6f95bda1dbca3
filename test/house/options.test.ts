import assert from "node:assert/strict";
import { test } from "node:test";
import { Option } from "commander";
import { COMMANDS } from "../../src/cli/commands.ts";
import { NOT_YET } from "../../src/cli/unknown-verb.ts";

// That a verb reads no option it does not have, the compiler sees (test/cli/command.test.ts).
test("what an option needs or excludes are options of its verb", async () => {
  const unknown: string[] = [];
  for (const { path, load } of COMMANDS) {
    const { options = [] } = await load();
    const names = options.map((option) => new Option(option.flags).name());
    for (const { flags, excludes = [], needs = [] } of options) {
      for (const name of [...excludes, ...needs]) {
        if (!names.includes(name)) unknown.push(`${path.join(" ")}: ${flags} names --${name}`);
      }
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
