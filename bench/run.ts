/**
 * `./just bench`: measures every step of build-sealed on the 700 MB Debian system, side by side with the tools a user would
 * pick instead, and puts the table at the top of bench/RESULTS.md.
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT, makeSealedDisk } from "../examples/debian/sealed-disk.ts";
import { formatSize } from "../src/bytes/index.ts";
import { progressView } from "../src/cli/progress.ts";

import { type Attempt, type BenchCase, benchCases } from "./cases.ts";
import { prepareInputs, SYNTHETIC_ENTRIES } from "./inputs.ts";
import { type Measured, measure, median } from "./measure.ts";
import type { BenchRegistry } from "./registry.ts";
import { type Row, reportText } from "./report.ts";

const RESULTS = join(import.meta.dirname, "RESULTS.md");
const TITLE = "# Benchmarks\n\nMade by `./just bench`; the newest table first.\n";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    small: { type: "boolean", default: false },
    /** Only cases whose name contains this. */
    only: { type: "string", default: "" },
    /** A directory on tmpfs measures the programs, not the disk. */
    scratch: { type: "string", default: existsSync("/dev/shm") ? "/dev/shm" : join(CHECKOUT, "build") },
  },
});
const runs = Number(values.runs);

const view = progressView("auto", process.stderr);
const disk = await makeSealedDisk({ full: !values.small, reuse: true, quiet: true, events: view.sink });
view.close();

mkdirSync(values.scratch, { recursive: true });
const scratch = mkdtempSync(join(values.scratch, "bench-"));
let registry: BenchRegistry | undefined;
try {
  const inputs = await prepareInputs(disk, scratch);
  registry = inputs.registry;
  const rows = benchCases(inputs)
    .filter(({ name }) => name.includes(values.only))
    .map(measureCase);
  const text = reportText(
    {
      date: new Date().toISOString().slice(0, "2026-11-23".length),
      runs,
      input: `Debian 13, ${inputs.entryCount} entries, ${formatSize(disk.image.uncompressedBytes)}, as one gzip layer ${formatSize(disk.image.layerBytes)}; synthetic tree of ${SYNTHETIC_ENTRIES} entries`,
      scratch: execFileSync("findmnt", ["-nfo", "FSTYPE", "-T", scratch], { encoding: "utf8" }).trim(),
    },
    rows,
  );
  console.log(text);
  if (values.only === "" && !values.small) {
    const earlier = existsSync(RESULTS) ? readFileSync(RESULTS, "utf8").slice(TITLE.length) : "";
    writeFileSync(RESULTS, `${TITLE}\n${text}${earlier}`);
  }
} finally {
  await registry?.stop();
  rmSync(scratch, { recursive: true, force: true });
}

/** Both sides in turn, so that a slow spell of the machine meets both. */
function measureCase(benchCase: BenchCase): Row {
  const { name, ours, counterpart, goal, goalSeconds } = benchCase;
  const ourRuns: Measured[] = [];
  const theirRuns: Measured[] = [];
  for (let run = 0; run < runs; run++) {
    ourRuns.push(attempt(ours));
    if (counterpart !== undefined) theirRuns.push(attempt(counterpart));
  }
  const our = median(ourRuns);
  process.stderr.write(`  ${name}  ${our.cost.wallSeconds} s\n`);
  const fetch = benchCase.fetch && { ...benchCase.fetch, fetchedBytes: fetchedBytes(our.stdout) };
  if (counterpart === undefined) return { name, ours: our.cost, goalSeconds, fetch };
  const their = median(theirRuns);
  if (benchCase.sameResult === true && lastWord(our.stdout) !== lastWord(their.stdout)) {
    throw new Error(`${name}: ${lastWord(our.stdout)} is not ${lastWord(their.stdout)} of ${counterpart.name}`);
  }
  return { name, ours: our.cost, counterpart: { name: counterpart.name, cost: their.cost }, goal };
}

function attempt({ fresh = [], setup = [], command }: Attempt): Measured {
  for (const path of fresh) rmSync(path, { recursive: true, force: true });
  for (const preparation of setup) measure(preparation);
  return measure(command);
}

/** Of the `--json` report of a pull. */
function fetchedBytes(stdout: string): number {
  const { layers }: { layers: { fetchedBytes: number } } = JSON.parse(stdout);
  return layers.fetchedBytes;
}

/** Digests are printed last, by some tools after a label or an algorithm's name. */
function lastWord(text: string): string {
  return (
    text
      .trim()
      .split(/[\s:]+/)
      .at(-1) ?? ""
  );
}
