/** Runs a command under GNU time and reads what it cost. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What one run took. */
export interface Cost {
  readonly wallSeconds: number;
  /** User and system time of the process and all its children. */
  readonly cpuSeconds: number;
  /** Of the largest single process, in kibibytes (getrusage(2), ru_maxrss). */
  readonly peakMemoryKib: number;
}

export interface Measured {
  readonly cost: Cost;
  readonly stdout: string;
}

const TIME = "/usr/bin/time";
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024;

/** @throws Error with the end of standard error when the command fails */
export function measure(command: Command): Measured {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-bench-"));
  const report = join(directory, "time");
  try {
    const result = spawnSync(TIME, ["-f", "%e %U %S %M", "-o", report, command.program, ...command.args], {
      encoding: "utf8",
      maxBuffer: OUTPUT_LIMIT_BYTES,
      env: { ...process.env, ...command.env },
    });
    if (result.error !== undefined) throw result.error;
    if (result.status !== 0) {
      throw new Error(`${[command.program, ...command.args].join(" ")}: ${result.stderr.trim().slice(-2000)}`);
    }
    const [wall = 0, user = 0, system = 0, memory = 0] = readFileSync(report, "utf8").trim().split(" ").map(Number);
    return { cost: { wallSeconds: wall, cpuSeconds: user + system, peakMemoryKib: memory }, stdout: result.stdout };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The run of median wall time; of an even number, the faster one in the middle. */
export function median(runs: readonly Measured[]): Measured {
  const sorted = runs.toSorted((a, b) => a.cost.wallSeconds - b.cost.wallSeconds);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error("Cannot take the median: there was no run");
  return middle;
}
