/**
 * How cost grows with the work: 10 thousand, 100 thousand and 1 million files; 0.1, 1 and 10 GB. Writes bench/growth.svg and the
 * table with the exponents at the top of bench/RESULTS.md.
 *
 * `node bench/growth.ts`; inputs are made on disk, what is measured writes to tmpfs (18 GB at most). `--quick` goes through
 * everything with inputs a hundredth as large, and writes the picture into the directory of its scratch files alone.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeSealedDisk } from "../examples/debian/sealed-disk.ts";
import { silent } from "../src/events/index.ts";
import type { BenchCase } from "./bench-case.ts";
import { measureCase, remove } from "./compare.ts";
import { byteCases, fileCases, type GrowthCase, systemCases } from "./growth-cases.ts";
import { growthPlot } from "./growth-plot.ts";
import { GrowthTable } from "./growth-table.ts";
import { readLibraries } from "./libraries.ts";
import { addResults } from "./results.ts";
import { CHECKOUT, makeProgram } from "./sealroot.ts";
import { makeSystemdTools } from "./systemd-tools.ts";
import { addToolDirectory, benchToolVersions } from "./tools.ts";

const PICTURE = join(import.meta.dirname, "growth.svg");
/** A system of the example's size is below each of these when it is sealed and installed. */
const SIZES = {
  full: { files: [1e4, 1e5, 1e6], bytes: [1e8, 1e9, 1e10], systemBytes: [1e8, 1e9, 3e9] },
  quick: { files: [1e3, 1e4], bytes: [1e7, 1e8], systemBytes: [1e7, 1e8] },
};
/** The largest is measured once. */
const RUNS = 3;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    /** Only charts whose title contains this. */
    only: { type: "string", default: "" },
    scratch: { type: "string", default: "/dev/shm" },
    /** For inputs. */
    disk: { type: "string", default: join(CHECKOUT, "build") },
  },
});
const sizes = values.quick ? SIZES.quick : SIZES.full;
const disk = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
addToolDirectory(await makeSystemdTools());
await makeProgram();
mkdirSync(values.disk, { recursive: true });
const inputs = mkdtempSync(join(values.disk, "growth-"));
const scratch = mkdtempSync(join(values.scratch, "growth-"));
process.env.TMPDIR = scratch;
const table = new GrowthTable();
try {
  for (const files of sizes.files) run(fileCases(files, scratch), files, files === sizes.files.at(-1));
  for (const bytes of sizes.bytes) run(await byteCases(bytes, inputs, scratch), bytes, bytes === sizes.bytes.at(-1));
  for (const bytes of sizes.systemBytes) {
    run(await systemCases(disk, bytes, inputs, scratch), bytes, bytes === sizes.systemBytes.at(-1));
  }
  const picture = growthPlot("How cost grows: wall seconds against the size of the work", table.charts());
  const text = table.text({
    date: new Date().toISOString().slice(0, "2026-11-23".length),
    libraries: readLibraries().lines,
    tools: benchToolVersions(),
    runs: RUNS,
  });
  console.log(text);
  if (!values.quick && values.only === "") addResults(text);
  const path = values.quick || values.only !== "" ? join(values.disk, "growth.svg") : PICTURE;
  writeFileSync(path, picture);
  console.error(`bench: the picture is ${path}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
  rmSync(inputs, { recursive: true, force: true });
}

function run({ cases, made }: GrowthCase, size: number, isLargest: boolean): void {
  for (const { chart, unit, ...benchCase } of cases.filter(({ chart }) => chart.includes(values.only))) {
    const row = measureCase(benchCase satisfies BenchCase, isLargest ? 1 : RUNS, false);
    table.add(chart, unit, size, row);
  }
  remove(made);
}
