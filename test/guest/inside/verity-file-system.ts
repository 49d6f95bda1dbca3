/** The guest is what its tests take it for: a kernel and file system with fs-verity, and our sources. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { runTool } from "../../../src/platform/index.ts";

test("the scratch file system takes fs-verity with both hash algorithms", async () => {
  for (const algorithm of ["sha256", "sha512"]) {
    const path = `/scratch/${algorithm}`;
    writeFileSync(path, "hello\n");
    await runTool("fsverity", ["enable", `--hash-alg=${algorithm}`, path]);
    const { stdout } = await runTool("fsverity", ["measure", path]);
    assert.match(stdout.toString(), new RegExp(`^${algorithm}:[0-9a-f]+ `));
    assert.throws(() => writeFileSync(path, "other"), { code: "EPERM" });
  }
});
