import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const PLATFORM = new URL("../../src/platform/index.ts", import.meta.url).href;

/** Its hook takes a while, and says when it begins and when it has come to its end. */
const PROGRAM = `
  import { writeSync } from "node:fs";
  import { onProcessExit } from ${JSON.stringify(PLATFORM)};
  onProcessExit(() => {
    writeSync(1, "begun ");
    const end = performance.now() + 300;
    while (performance.now() < end);
    writeSync(1, "done");
  });
  setInterval(() => {}, 1000);
  writeSync(1, "ready ");`;

test("a second signal does not cut the clean-up of the first short", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.on("data", (part: Buffer) => {
      text += part;
      child.kill(signal);
    });
    const [code, ended] = await once(child, "close");
    assert.deepEqual([code, ended, text], [null, signal, "ready begun done"]);
  }
});
