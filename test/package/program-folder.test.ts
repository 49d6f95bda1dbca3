/** The program folder by itself: every package that the program may load is whole in it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { checkoutManifest } from "../../scripts/package/distribution.ts";
import { makeProgramFolder } from "../../scripts/package/program-folder.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { distributionIn } from "./built.ts";

test("the folder's Node loads every dependency out of the folder", async () => {
  using scratch = temporaryDirectory({ purpose: "program-folder" });
  const folder = join(scratch.path, "program");
  makeProgramFolder(await distributionIn(scratch.path), folder, "amd64");
  // reflect-metadata first: @peculiar/x509 wants it there.
  const names = ["reflect-metadata", ...Object.keys(checkoutManifest().dependencies)];
  const program = `for (const name of ${JSON.stringify(names)}) {
    const loaded = await import(name);
    if (typeof loaded !== "object") throw new Error(name);
  }
  console.log("all");`;
  const words = ["--input-type=module", "--eval", program];
  assert.equal(execFileSync(join(folder, "node"), words, { cwd: folder, encoding: "utf8" }), "all\n");
});
