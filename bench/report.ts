/** The benchmark's table as Markdown. */
import { cpus, release, totalmem } from "node:os";
import { formatBytes } from "../src/cli/table.ts";
import type { Cost } from "./measure.ts";

export interface Row {
  readonly name: string;
  readonly ours: Cost;
  readonly counterpart?: { readonly name: string; readonly cost: Cost } | undefined;
}

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
  const machine = `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}, ${formatBytes(totalmem())} memory`;
  return [
    `## ${facts.date}`,
    "",
    `Input: ${facts.input}. Machine: ${machine}, Linux ${release()}, Node ${process.version}; files on ${facts.scratch}.`,
    `Medians of ${facts.runs} runs, ours and the counterpart's in turn. Wall and CPU (user + system) in seconds, peak memory`,
    "of the largest process.",
    "",
    "| work | ours: wall | CPU | memory | counterpart | wall | CPU | memory | wall ratio |",
    "|---|--:|--:|--:|---|--:|--:|--:|--:|",
    ...rows.map(rowText),
    "",
  ].join("\n");
}

function rowText({ name, ours, counterpart }: Row): string {
  const theirs =
    counterpart === undefined
      ? ["–", "", "", "", ""]
      : [
          counterpart.name,
          ...costCells(counterpart.cost),
          (ours.wallSeconds / counterpart.cost.wallSeconds).toFixed(2),
        ];
  return `| ${[name, ...costCells(ours), ...theirs].join(" | ")} |`;
}

function costCells(cost: Cost): string[] {
  return [cost.wallSeconds.toFixed(2), cost.cpuSeconds.toFixed(2), formatBytes(cost.peakMemoryKib * 1024)];
}
