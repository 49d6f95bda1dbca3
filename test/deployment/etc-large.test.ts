import assert from "node:assert/strict";
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";

test("20,000 files and one of 256 MiB are merged within a minute and 300 MiB of memory", async (context) => {
  // In memory where that is possible: what is measured is the work, not the disk that other tests use meanwhile.
  using scratch = temporaryDirectory(existsSync("/dev/shm") ? { parent: "/dev/shm" } : {});
  const run = new URL("./etc-large-run.ts", import.meta.url).pathname;
  const { stdout } = await runTool(process.execPath, [run, scratch.path]);
  const { counts, seconds, memoryMiB } = JSON.parse(stdout.toString());
  context.diagnostic(`${seconds.toFixed(1)} s, ${memoryMiB} MiB`);
  assert.deepEqual(counts, [501, 500, 500, 0]);
  const etc = join(scratch.path, "etc");
  const files = readdirSync(etc, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.equal(files.length, 20_000 + 501 - 500);
  assert.equal(lstatSync(join(etc, "large")).size, 256 << 20);
  assert.ok(seconds < 60 && memoryMiB < 300, `${seconds} s, ${memoryMiB} MiB`);
});
