/**
 * `./just bench`: measures every step of build-sealed on the 700 MB Debian system, side by side with the tools a user would
 * pick instead, with and without the fast libraries, and puts the tables at the top of bench/RESULTS.md.
 *
 * `--quick` goes through everything once, on small inputs: it shows that it works, and its figures mean nothing.
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeSealedDisk } from "../examples/debian/sealed-disk.ts";
import { formatSize } from "../src/bytes/index.ts";
import { progressView } from "../src/cli/progress.ts";

import { benchCases } from "./cases.ts";
import { measureCase } from "./compare.ts";
import { prepareInputs } from "./inputs.ts";
import { readLibraries } from "./libraries.ts";
import type { BenchRegistry } from "./registry.ts";
import { reportText } from "./report.ts";
import { addResults } from "./results.ts";
import { CHECKOUT, makeProgram } from "./sealroot.ts";
import { makeSystemdTools } from "./systemd-tools.ts";
import { addToolDirectory, benchToolVersions } from "./tools.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string" },
    quick: { type: "boolean", default: false },
    /** Only cases whose name contains this. */
    only: { type: "string", default: "" },
    /** A directory on tmpfs measures the programs, not the disk. */
    scratch: { type: "string", default: existsSync("/dev/shm") ? "/dev/shm" : join(CHECKOUT, "build") },
  },
});
const runs = Number(values.runs ?? (values.quick ? 1 : 5));
const syntheticEntries = values.quick ? 10_000 : 300_000;

const view = progressView("auto", process.stderr);
const disk = await makeSealedDisk({ full: !values.quick, reuse: true, quiet: true, events: view.sink });
view.close();
try {
  addToolDirectory(await makeSystemdTools());
} catch (error) {
  console.error(`bench: ukify and systemd-repart of Debian 13 cannot be had: ${error}`);
}
const tools = benchToolVersions();
await makeProgram();
const libraries = readLibraries();
if (!libraries.used) console.error("bench: no fast library is used here; there is nothing to measure without them");

mkdirSync(values.scratch, { recursive: true });
const scratch = mkdtempSync(join(values.scratch, "bench-"));
// What programs keep for a moment is on the same file system.
process.env.TMPDIR = scratch;
let registry: BenchRegistry | undefined;
try {
  const inputs = await prepareInputs(disk, scratch, syntheticEntries);
  registry = inputs.registry;
  const rows = benchCases(inputs)
    .filter(({ name }) => name.includes(values.only))
    .map((benchCase) => measureCase(benchCase, runs, libraries.used));
  const text = reportText(
    {
      date: new Date().toISOString().slice(0, "2026-11-23".length),
      runs,
      input: `Debian 13, ${inputs.entryCount} entries, ${formatSize(disk.image.uncompressedBytes)}, as one gzip layer ${formatSize(disk.image.layerBytes)}; synthetic tree of ${syntheticEntries} entries`,
      scratch: execFileSync("findmnt", ["-nfo", "FSTYPE", "-T", scratch], { encoding: "utf8" }).trim(),
      libraries: libraries.lines,
      tools,
    },
    rows,
  );
  console.log(text);
  if (values.only === "" && !values.quick) addResults(text);
} finally {
  await registry?.stop();
  rmSync(scratch, { recursive: true, force: true });
}
