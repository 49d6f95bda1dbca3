/** Runs a case on all its sides. */
import { rmSync } from "node:fs";
import type { Attempt, BenchCase } from "./bench-case.ts";
import { WITHOUT_LIBRARIES } from "./libraries.ts";
import { type Measured, measure, median } from "./measure.ts";
import type { Row, RowCounterpart } from "./report.ts";

const SELDOM_RUNS = 1;

/**
 * All sides in turn, so that a slow spell of the machine meets each.
 * @param withPortable whether ours is measured without the fast libraries as well
 * @throws Error when sides that must agree do not
 */
export function measureCase(benchCase: BenchCase, runs: number, withPortable: boolean): Row {
  const { name, ours, counterparts = [], goal, goalSeconds } = benchCase;
  const others = counterparts.flatMap((other) => ("attempt" in other ? [other.attempt] : []));
  const attempts = [ours, ...(withPortable ? [withoutLibraries(ours)] : []), ...others];
  // No goal speaks of the counterparts after the first, which take longest.
  const seldom = new Set(others.slice(1));
  const measured: Measured[][] = attempts.map(() => []);
  for (let run = 0; run < runs; run++) {
    attempts.forEach((attempt, index) => {
      if (run < SELDOM_RUNS || !seldom.has(attempt)) measured[index]?.push(runAttempt(attempt));
    });
  }
  const medians = measured.map(median);
  const our = medians.shift();
  if (our === undefined) throw new Error(`${name}: nothing was measured`);
  const portable = withPortable ? medians.shift() : undefined;
  const rowCounterparts: RowCounterpart[] = [];
  for (const other of counterparts) {
    if ("missing" in other) {
      rowCounterparts.push(other);
      continue;
    }
    const their = medians.shift();
    if (their === undefined) throw new Error(`${name}: ${other.name} was not measured`);
    if (benchCase.sameResult === true && rowCounterparts.length === 0) expectSame(name, our, their, other.name);
    rowCounterparts.push({ name: other.name, cost: their.cost });
  }
  if (benchCase.sameResult === true && portable !== undefined) expectSame(name, our, portable, "no library");
  const beside = rowCounterparts.flatMap((other) =>
    "cost" in other ? [`${other.name} ${other.cost.wallSeconds} s`] : [],
  );
  process.stderr.write(`  ${[`${name}  ${our.cost.wallSeconds} s`, ...beside].join(", ")}\n`);
  const fetch = benchCase.fetch && { ...benchCase.fetch, fetchedBytes: fetchedBytes(our.stdout) };
  return { name, ours: our.cost, portable: portable?.cost, counterparts: rowCounterparts, goal, goalSeconds, fetch };
}

function withoutLibraries({ command, ...attempt }: Attempt): Attempt {
  return { ...attempt, command: { ...command, env: { ...command.env, ...WITHOUT_LIBRARIES } } };
}

export function runAttempt({ fresh, passing, setup = [], command }: Attempt): Measured {
  remove(fresh);
  remove(passing);
  for (const preparation of setup) measure(preparation);
  const measured = measure(command);
  remove(passing);
  return measured;
}

export function remove(paths: readonly string[] = []): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}

/** Of the `--json` report of a pull. */
function fetchedBytes(stdout: string): number {
  const { layers }: { layers: { fetchedBytes: number } } = JSON.parse(stdout);
  return layers.fetchedBytes;
}

function expectSame(name: string, our: Measured, their: Measured, side: string): void {
  if (lastWord(our.stdout) === lastWord(their.stdout)) return;
  throw new Error(`${name}: ${lastWord(our.stdout)} is not ${lastWord(their.stdout)} of ${side}`);
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
