/** Running the reference tools, and counting what they say as the rows of a table for RESULTS.md. */
import { spawnSync } from "node:child_process";

const OUTPUT_MAX_BYTES = 1 << 30;

export interface ToolRun {
  readonly exitCode: number | null;
  readonly out: Buffer;
  readonly err: string;
}

/** Runs a program to its end. */
export function runProgram(program: string, words: readonly string[], input?: Uint8Array): ToolRun {
  const { status, stdout, stderr } = spawnSync(program, [...words], {
    maxBuffer: OUTPUT_MAX_BYTES,
    env: { ...process.env, RUST_BACKTRACE: "0" },
    ...(input === undefined ? {} : { input }),
  });
  return { exitCode: status, out: stdout, err: stderr.toString() };
}

/** Rows that count how often something was tried and how often it was as expected. */
export class Tally {
  readonly #rows = new Map<string, { tried: number; good: number }>();

  /** Counts one trial; `where` is printed when it went wrong. */
  count(row: string, good: boolean, where: () => string): void {
    const counts = this.#rows.get(row) ?? { tried: 0, good: 0 };
    this.#rows.set(row, { tried: counts.tried + 1, good: counts.good + (good ? 1 : 0) });
    if (!good) console.log(`different: ${row}: ${where()}`);
  }

  get allGood(): boolean {
    return [...this.#rows.values()].every(({ tried, good }) => tried === good);
  }

  /** The table as Markdown. */
  lines(): string[] {
    const rows = [...this.#rows].map(([row, { tried, good }]) => `| ${row} | ${tried} | ${good} |`);
    return ["| what | counted | equal or accepted |", "|---|--:|--:|", ...rows];
  }
}
