/** The benchmark's table as Markdown. */
import { cpus, release, totalmem } from "node:os";
import { formatSize } from "../src/bytes/index.ts";

import type { Cost } from "./measure.ts";
import type { BenchUpdate } from "./update.ts";

export interface Row {
  readonly name: string;
  readonly ours: Cost;
  readonly counterpart?: { readonly name: string; readonly cost: Cost } | undefined;
  /** As in BenchCase. */
  readonly goal?: number | undefined;
  readonly goalSeconds?: number | undefined;
  readonly fetch?: (BenchUpdate & { readonly fetchedBytes: number }) | undefined;
}

/** Of every process that is measured. */
const MEMORY_GOAL_BYTES = 400_000_000;

/** Bytes fetched, as a multiple of those that are needed. */
const FETCH_GOAL = 1.1;

export interface ReportFacts {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly runs: number;
  /** What was worked on, such as "Debian 13, 17,816 entries, 730 MB". */
  readonly input: string;
  readonly scratch: string;
}

export function reportText(facts: ReportFacts, rows: readonly Row[]): string {
  const processors = cpus();
  const machine = `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}, ${formatSize(totalmem())} memory`;
  return [
    `## ${facts.date}`,
    "",
    `Input: ${facts.input}. Machine: ${machine}, Linux ${release()}, Node ${process.version}; files on ${facts.scratch}.`,
    `Medians of ${facts.runs} runs, ours and the counterpart's in turn. Wall and CPU (user + system) in seconds, peak memory`,
    "of the largest process.",
    "",
    "| work | ours: wall | CPU | memory | counterpart | wall | CPU | memory | wall ratio | goal |",
    "|---|--:|--:|--:|---|--:|--:|--:|--:|---|",
    ...rows.map(rowText),
    "",
    ...rows.flatMap((row) => (row.fetch === undefined ? [] : [fetchText(row.name, row.fetch), ""])),
    goalsText(rows),
    "",
  ].join("\n");
}

function rowText(row: Row): string {
  const { name, ours, counterpart, goal } = row;
  const theirs = counterpart === undefined ? ["–", "", "", ""] : [counterpart.name, ...costCells(counterpart.cost)];
  const ratio = wallRatio(row);
  const verdict = verdictOf(ratio, goal) ?? verdictOf(ours.wallSeconds, row.goalSeconds, " s") ?? "";
  return `| ${[name, ...costCells(ours), ...theirs, ratio?.toFixed(2) ?? "", verdict].join(" | ")} |`;
}

function verdictOf(actual: number | undefined, goal: number | undefined, unit = ""): string | undefined {
  if (goal === undefined || actual === undefined) return undefined;
  return `${goal.toFixed(2)}${unit} ${actual <= goal ? "met" : "missed"}`;
}

/** The tar-split data belong to the table: without them no layer can be reassembled, but they are not files. */
function fetchText(name: string, update: NonNullable<Row["fetch"]>): string {
  const { fetchedBytes, changedBytes, tableBytes, tarSplitBytes } = update;
  const ratio = fetchedBytes / (changedBytes + tableBytes + tarSplitBytes);
  const withoutTarSplit = fetchedBytes / (changedBytes + tableBytes);
  return [
    `To ${name}, ${formatSize(fetchedBytes)} were fetched, for ${formatSize(changedBytes)} of changed files,`,
    `${formatSize(tableBytes)} of table of contents and ${formatSize(tarSplitBytes)} of tar-split data, all compressed:`,
    `${ratio.toFixed(2)} times (goal ${verdictOf(ratio, FETCH_GOAL)}); ${withoutTarSplit.toFixed(2)} times all but the tar-split data.`,
  ].join("\n");
}

function wallRatio({ ours, counterpart }: Row): number | undefined {
  return counterpart === undefined ? undefined : ours.wallSeconds / counterpart.cost.wallSeconds;
}

function goalsText(rows: readonly Row[]): string {
  const withGoal = rows.filter((row) => row.goal !== undefined && wallRatio(row) !== undefined);
  const met = withGoal.filter((row) => (wallRatio(row) ?? 0) <= (row.goal ?? 0));
  const large = rows.filter(({ ours }) => ours.peakMemoryKib * 1024 > MEMORY_GOAL_BYTES).map(({ name }) => name);
  return [
    `Goals of time: ${met.length} of ${withGoal.length} met.`,
    `Over ${formatSize(MEMORY_GOAL_BYTES)} of memory: ${large.length === 0 ? "none" : large.join("; ")}.`,
    "bootc is not compared: it is published as source without a package that holds its program.",
  ].join(" ");
}

function costCells(cost: Cost): string[] {
  return [cost.wallSeconds.toFixed(2), cost.cpuSeconds.toFixed(2), formatSize(cost.peakMemoryKib * 1024)];
}
