/** What was measured at each size, as charts for the picture and as a table with the exponents. */
import { cpus, release, totalmem } from "node:os";
import { formatSize } from "../src/bytes/index.ts";
import { type GrowthChart, shortNumber } from "./growth-plot.ts";
import { fitPowerLaw, lastExponent, type Point } from "./power-law.ts";
import { megabytes, type ReportFacts, type Row } from "./report.ts";

interface Line {
  readonly points: Point[];
  /** At the largest size so far. */
  peakMemoryKib: number;
}

interface Chart {
  readonly unit: string;
  /** By program; ours is first. */
  readonly lines: Map<string, Line>;
  readonly missing: Set<string>;
}

export class GrowthTable {
  readonly #charts = new Map<string, Chart>();

  /** Sizes of a chart are added in order. */
  add(title: string, unit: string, size: number, row: Row): void {
    const chart = this.#charts.get(title) ?? { unit, lines: new Map<string, Line>(), missing: new Set<string>() };
    this.#charts.set(title, chart);
    const sides = [{ name: "sealroot", cost: row.ours }, ...row.counterparts];
    for (const side of sides) {
      if ("missing" in side) {
        chart.missing.add(`${side.name} (not installed: ${side.missing.join(", ")})`);
        continue;
      }
      const line = chart.lines.get(side.name) ?? { points: [], peakMemoryKib: 0 };
      chart.lines.set(side.name, line);
      // A run below the clock's resolution would have no logarithm.
      line.points.push({ size, seconds: Math.max(side.cost.wallSeconds, CLOCK_SECONDS) });
      line.peakMemoryKib = side.cost.peakMemoryKib;
    }
  }

  charts(): GrowthChart[] {
    return [...this.#charts].map(([title, { unit, lines }]) => ({
      title,
      unit,
      lines: [...lines].map(([name, { points }]) => ({ name, points })),
    }));
  }

  text(facts: Pick<ReportFacts, "date" | "libraries" | "tools" | "runs">): string {
    const libraries = facts.libraries.length === 0 ? "none are known to this program" : facts.libraries.join("; ");
    return [
      `## ${facts.date}, how cost grows with the work`,
      "",
      "![wall seconds against the size of the work](growth.svg)",
      "",
      `Wall seconds; medians of ${facts.runs} runs, the largest size once; \`node bench/growth.ts\`. Machine: ${cpus().length} × ${cpus()[0]?.model.trim()},`,
      `${formatSize(totalmem())} memory, Linux ${release()}, Node ${process.version}. Fast libraries: ${libraries}.`,
      `Beside it: ${facts.tools.join(", ")}.`,
      "The exponent is that of the straight line through all sizes in logarithms; the last step's is without the time of starting.",
      "",
      "| work | program | size: seconds | exponent | of the last step | memory at the largest |",
      "|---|---|---|--:|--:|--:|",
      ...[...this.#charts].flatMap(([title, chart]) => chartRows(title, chart)),
      "",
    ].join("\n");
  }
}

/** Of GNU time. */
const CLOCK_SECONDS = 0.01;

function chartRows(title: string, { unit, lines, missing }: Chart): string[] {
  const rows = [...lines].map(([name, { points, peakMemoryKib }], index) => {
    const figures = points.map(({ size, seconds }) => `${shortNumber(size)}: ${seconds.toFixed(2)}`).join(", ");
    const exponents = [fitPowerLaw(points).exponent, lastExponent(points)].map((value) => value.toFixed(2));
    const work = index === 0 ? `${title} (${unit})` : "";
    return `| ${[work, name, figures, ...exponents, megabytes({ peakMemoryKib })].join(" | ")} |`;
  });
  return [...rows, ...[...missing].map((name) => `|  | ${name} |  |  |  |  |`)];
}
