/** The benchmark's tables as Markdown. */
import { cpus, release, totalmem } from "node:os";
import { formatSize } from "../src/bytes/index.ts";

import type { Cost } from "./measure.ts";
import type { BenchUpdate } from "./update.ts";

export interface Row {
  readonly name: string;
  readonly ours: Cost;
  /** The same without the fast libraries, where there are any. */
  readonly portable?: Cost | undefined;
  readonly counterparts: readonly RowCounterpart[];
  /** As in BenchCase. */
  readonly goal?: number | undefined;
  readonly goalSeconds?: number | undefined;
  readonly fetch?: (BenchUpdate & { readonly fetchedBytes: number }) | undefined;
}

/** What it took, or which of its programs are not installed. */
export type RowCounterpart =
  | { readonly name: string; readonly cost: Cost }
  | { readonly name: string; readonly missing: readonly string[] };

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
  /** The file system that everything is on. */
  readonly scratch: string;
  /** What does the work in our program, a line each. */
  readonly libraries: readonly string[];
  /** The programs beside it, with versions. */
  readonly tools: readonly string[];
}

/** Goals first, then everything beside every counterpart. */
export function reportText(facts: ReportFacts, rows: readonly Row[]): string {
  const processors = cpus();
  const machine = `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}, ${formatSize(totalmem())} memory`;
  const libraries = facts.libraries.length === 0 ? "none are known to this program" : facts.libraries.join("; ");
  return [
    `## ${facts.date}`,
    "",
    `Input: ${facts.input}. Machine: ${machine}, Linux ${release()}, Node ${process.version}; files on ${facts.scratch}.`,
    `Medians of ${facts.runs} runs, ours and the counterparts' in turn. Wall and CPU (user + system) in seconds, peak memory`,
    "of the largest process. Counterparts after the first of a row ran once.",
    "",
    `Fast libraries: ${libraries}. *Without* them: the same runs with \`SEALROOT_PRIMITIVES=portable\`.`,
    `Beside it: ${facts.tools.join(", ")}.`,
    "",
    ...goalTable(rows),
    "",
    goalsText(rows),
    "",
    ...rows.flatMap((row) => (row.fetch === undefined ? [] : [fetchText(row.name, row.fetch), ""])),
    "Everything that was measured, and what else is used for it:",
    "",
    ...wholeTable(rows),
    "",
  ].join("\n");
}

function goalTable(rows: readonly Row[]): string[] {
  return [
    "| work | goal | ours | of the counterpart's | met? | memory | without: ours | of the counterpart's | met? | memory | counterpart | wall |",
    "|---|--:|--:|--:|---|--:|--:|--:|---|--:|---|--:|",
    ...rows.filter(hasGoal).map(goalRow),
  ];
}

function hasGoal({ goal, goalSeconds }: Row): boolean {
  return goal !== undefined || goalSeconds !== undefined;
}

function goalRow(row: Row): string {
  const goal = row.goal === undefined ? `${row.goalSeconds?.toFixed(2)} s` : row.goal.toFixed(2);
  const [first] = row.counterparts;
  const theirs =
    first === undefined ? ["–", ""] : [first.name, "cost" in first ? seconds(first.cost) : notThere(first)];
  return tableRow([row.name, goal, ...verdictCells(row, row.ours), ...verdictCells(row, row.portable), ...theirs]);
}

function verdictCells(row: Row, cost: Cost | undefined): string[] {
  if (cost === undefined) return ["–", "", "", ""];
  const met = meetsGoal(row, cost);
  const verdict = met === undefined ? "not known" : met ? "met" : "**missed**";
  return [seconds(cost), wallRatio(row, cost)?.toFixed(2) ?? "", verdict, megabytes(cost)];
}

/** Undefined where the goal is a share of what was not measured. */
function meetsGoal(row: Row, cost: Cost): boolean | undefined {
  if (row.goalSeconds !== undefined) return cost.wallSeconds <= row.goalSeconds;
  const ratio = wallRatio(row, cost);
  return ratio === undefined || row.goal === undefined ? undefined : ratio <= row.goal;
}

/** Of the first counterpart's wall time. */
function wallRatio({ counterparts: [first] }: Row, cost: Cost): number | undefined {
  return first !== undefined && "cost" in first ? cost.wallSeconds / first.cost.wallSeconds : undefined;
}

function wholeTable(rows: readonly Row[]): string[] {
  return [
    "| work | ours: wall | CPU | memory | without: wall | CPU | memory | counterpart | wall | CPU | memory | wall ratio |",
    "|---|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|",
    ...rows.flatMap(({ name, ours, portable, counterparts }) => {
      const own = [name, ...costCells(ours), ...costCells(portable)];
      if (counterparts.length === 0) return [tableRow([...own, "–", "", "", "", ""])];
      return counterparts.map((other, index) =>
        tableRow([...(index === 0 ? own : own.map(() => "")), ...counterpartCells(ours, other)]),
      );
    }),
  ];
}

function counterpartCells(ours: Cost, other: RowCounterpart): string[] {
  if ("missing" in other) return [other.name, notThere(other), "", "", ""];
  return [other.name, ...costCells(other.cost), (ours.wallSeconds / other.cost.wallSeconds).toFixed(2)];
}

function notThere({ missing }: { readonly missing: readonly string[] }): string {
  return `not installed: ${missing.join(", ")}`;
}

/** The tar-split data belong to the table: without them no layer can be reassembled, but they are not files. */
function fetchText(name: string, update: NonNullable<Row["fetch"]>): string {
  const { fetchedBytes, changedBytes, tableBytes, tarSplitBytes } = update;
  const ratio = fetchedBytes / (changedBytes + tableBytes + tarSplitBytes);
  const withoutTarSplit = fetchedBytes / (changedBytes + tableBytes);
  const verdict = ratio <= FETCH_GOAL ? "met" : "missed";
  return [
    `To ${name}, ${formatSize(fetchedBytes)} were fetched, for ${formatSize(changedBytes)} of changed files,`,
    `${formatSize(tableBytes)} of table of contents and ${formatSize(tarSplitBytes)} of tar-split data, all compressed:`,
    `${ratio.toFixed(2)} times (goal ${FETCH_GOAL.toFixed(2)} ${verdict}); ${withoutTarSplit.toFixed(2)} times all but the tar-split data.`,
  ].join("\n");
}

function goalsText(rows: readonly Row[]): string {
  const withGoal = rows.filter(hasGoal);
  const portable = withGoal.filter((row) => row.portable !== undefined);
  const met = withGoal.filter((row) => meetsGoal(row, row.ours) === true).length;
  const metWithout = portable.filter((row) => row.portable && meetsGoal(row, row.portable) === true).length;
  const without = portable.length === 0 ? "" : `, without the libraries ${metWithout} of ${portable.length}`;
  return [
    `Goals of time: ${met} of ${withGoal.length} met${without}. `,
    `Over ${MEMORY_GOAL_BYTES / 1e6} MB of memory: ${overMemory(rows, (row) => row.ours)}`,
    ...(portable.length === 0 ? [] : [`; without the libraries: ${overMemory(rows, (row) => row.portable)}`]),
    ". bootc is not compared: it is published as source without a package that holds its program.",
  ].join("");
}

function overMemory(rows: readonly Row[], costOf: (row: Row) => Cost | undefined): string {
  const large = rows.filter((row) => (costOf(row)?.peakMemoryKib ?? 0) * 1024 > MEMORY_GOAL_BYTES);
  return large.length === 0 ? "none" : large.map(({ name }) => name).join("; ");
}

function costCells(cost: Cost | undefined): string[] {
  if (cost === undefined) return ["", "", ""];
  return [seconds(cost), cost.cpuSeconds.toFixed(2), megabytes(cost)];
}

function seconds({ wallSeconds }: Cost): string {
  return wallSeconds.toFixed(2);
}

/** As the goals are written: of a million bytes. */
export function megabytes({ peakMemoryKib }: Pick<Cost, "peakMemoryKib">): string {
  return `${((peakMemoryKib * 1024) / 1e6).toFixed(1)} MB`;
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
