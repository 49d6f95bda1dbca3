/** The suites of the rooms that hash and inflate, once with the libraries and once without: nothing else differs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { test } from "node:test";
import { CHECKOUT } from "../house/sources.ts";

const SUITES = ["verity", "zstd", "tar", "oci", "objects"].map((room) => `test/${room}/*.test.ts`);

for (const primitives of ["native", "portable"]) {
  const skip = primitives === "native" && process.arch !== "x64" && "x86-64 alone has the libraries";
  test(`the suites pass with SEALROOT_PRIMITIVES=${primitives}`, { skip }, () => {
    const files = globSync(SUITES, { cwd: CHECKOUT }).sort();
    assert.ok(files.length > 10);
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", ...files], {
      cwd: CHECKOUT,
      env: { ...environment, SEALROOT_PRIMITIVES: primitives },
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const failed = stdout.split("\n").filter((line) => /^\s*not ok /.test(line));
    assert.deepEqual(failed, [], stderr);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^# skipped 0$/m);
  });
}
