/** The table at the end of `./just test-composefs`. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { CHECKOUT } from "./sources.ts";

const REPORTERS = ["spec", join(CHECKOUT, "scripts/test-table.ts")];
const WORDS = [
  "--test",
  ...REPORTERS.flatMap((name) => [`--test-reporter=${name}`, "--test-reporter-destination=stdout"]),
];

/** What the runner prints last of a file with these tests; `S` for seconds. */
function tableOf(body: string): string {
  using scratch = temporaryDirectory();
  const path = join(scratch.path, "some.test.mjs");
  execFileSync("tee", [path], { input: `import { describe, test } from "node:test";\n${body}`, stdio: "pipe" });
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const { stdout } = spawnSync(process.execPath, [...WORDS, path], { encoding: "utf8", cwd: scratch.path, env });
  return stdout.slice(stdout.indexOf("TEST ")).replace(/ *\d+\.\d(?= )/g, " S");
}

test("each suite is a line, below it what failed, and the sum is last", () => {
  const body = `
    test("one", () => {});
    describe("many", () => { test("good", () => {}); test("bad", () => { throw new Error("no"); }); });
    test("none", { skip: "not here" }, () => {});`;
  assert.equal(
    tableOf(body),
    `TEST                 SECONDS  VERDICT
some.test.mjs: one S  passed
some.test.mjs: many S  FAILED
  bad                         FAILED
some.test.mjs: none S  skipped
all S  1 passed, 1 FAILED, 1 skipped
`,
  );
});

test("a run of nothing has a sum", () => {
  assert.equal(tableOf("").split("\n").at(-2)?.replace(/ +/g, " "), "all S 1 passed, 0 FAILED, 0 skipped");
});
