#!/usr/bin/env node
// The command of the npm package. Reports a Node that is too old before loading anything that it cannot parse.
const NEEDED = 24;
const found = Number(process.versions.node.split(".")[0]);
if (found < NEEDED) {
  console.error(`sealroot: needs Node ${NEEDED} or newer, this is ${process.versions.node} (${process.execPath})`);
  process.exit(1);
}
const [{ setFlagsFromString }, { enableCompileCache }] = await Promise.all([import("node:v8"), import("node:module")]);
// Small spaces and kept compiled code, as bin/sealroot of a checkout has them.
setFlagsFromString("--max-semi-space-size=2 --heap-growing-percent=100");
enableCompileCache();
const { runProcess } = await import("../src/cli/main.js");
process.exitCode = await runProcess(process.argv.slice(2));
