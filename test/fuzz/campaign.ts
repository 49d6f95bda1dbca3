/** Running one target for a number of executions or for a time. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "./random.ts";
import { type FuzzTarget, makeInput } from "./target.ts";

export interface CampaignOptions {
  readonly seed: number;
  /** Corpus inputs count; all of them are run even when there are more. */
  readonly executions?: number;
  readonly timeMs?: number;
  /** Told before each execution. */
  readonly onExecution?: (index: number) => void;
}

export interface CampaignResult {
  readonly target: string;
  readonly executions: number;
  readonly accepted: number;
  /** The longest execution. */
  readonly slowestMs: number;
  /** Growth of the process while the campaign ran. */
  readonly grownBytes: number;
}

/** One input of at most 192 KiB may take this long, on a machine that is busy with other things. */
export const INPUT_TIME_MAX_MS = 5000;
/** And the process may grow by this much. */
const GROWTH_MAX_BYTES = 768 << 20;

/**
 * Runs the corpus and then mutations of it.
 * @throws Error naming target, seed, execution and the file in which the input was saved
 */
export async function runCampaign(target: FuzzTarget, options: CampaignOptions): Promise<CampaignResult> {
  const corpus = await target.corpus();
  const started = performance.now();
  const rssAtStart = process.memoryUsage.rss();
  const executionsMax = options.executions === undefined ? Number.POSITIVE_INFINITY : options.executions;
  const timeMs = options.timeMs ?? Number.POSITIVE_INFINITY;
  let accepted = 0;
  let slowestMs = 0;
  let grownBytes = 0;
  let index = 0;
  for (; index < corpus.length || index < executionsMax; index++) {
    if (index >= corpus.length && performance.now() - started > timeMs) break;
    options.onExecution?.(index);
    const random = new Random(options.seed, target.name, index);
    const input = makeInput(target, corpus, index, random);
    const begun = performance.now();
    try {
      if (await target.run(input, random)) accepted++;
    } catch (error) {
      throw finding(target, options.seed, index, input, error);
    }
    const elapsedMs = performance.now() - begun;
    slowestMs = Math.max(slowestMs, elapsedMs);
    grownBytes = Math.max(grownBytes, process.memoryUsage.rss() - rssAtStart);
    if (elapsedMs > INPUT_TIME_MAX_MS) throw finding(target, options.seed, index, input, `took ${elapsedMs} ms`);
    if (grownBytes > GROWTH_MAX_BYTES) throw finding(target, options.seed, index, input, `grew by ${grownBytes} bytes`);
  }
  return { target: target.name, executions: index, accepted, slowestMs, grownBytes };
}

/** The error that reports an input; the input itself is saved. */
export function finding(target: FuzzTarget, seed: number, index: number, input: Uint8Array, cause: unknown): Error {
  const path = join(mkdtempSync(join(tmpdir(), "sealroot-fuzz-")), `${target.name}-${seed}-${index}`);
  writeFileSync(path, input);
  const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return new Error(`${target.name}, seed ${seed}, execution ${index}, input saved as ${path}: ${reason}`);
}
