/** How a failure is reported to the person, or with `--json` the program, that ran the command line. */
import { asSealrootError, describeError, SealrootError } from "../errors/index.ts";
import type { Output } from "../verbs/index.ts";
import { isReaderGone } from "./output.ts";

/** As of a program that SIGPIPE has ended, 128 + 13 (bash(1), "Exit Status"). */
const READER_GONE_EXIT_CODE = 141;

/**
 * Reports a failure: in lines on standard error, or as `{"error": …}` in place of the result (docs/schema/error.json).
 *
 * @returns the exit code: 2 for wrong usage, 141 without a word when the reader of standard output has gone, else 1
 */
export function reportFailure(error: unknown, asJson: boolean, output: Output): number {
  const failure = error instanceof SealrootError ? error : unexpected(error);
  if (isReaderGone(failure)) return READER_GONE_EXIT_CODE;
  if (!asJson || !printJson(failure, output)) {
    const [message = "", ...data] = describeError(failure);
    for (const line of [`sealroot: ${message}`, ...data]) output.remark(line);
  }
  if (process.env.SEALROOT_DEBUG && failure.stack) output.remark(failure.stack);
  return failure.code === "usage" ? 2 : 1;
}

/** An error that no room foresaw: the stack tells where, but is shown only on request. */
function unexpected(error: unknown): SealrootError {
  const hint = "SEALROOT_DEBUG=1 in the environment shows where; please report it";
  return asSealrootError(error, "Unexpected failure", { hint });
}

/** @returns false when there is nowhere to print to, such as a closed standard output: then the lines must do */
function printJson(failure: SealrootError, output: Output): boolean {
  try {
    output.json({ error: failure.toJSON() });
    return true;
  } catch {
    return false;
  }
}

/** Whether words that could not be parsed ask for JSON. */
export function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end < 0 ? undefined : end).some((word) => word === "--json" || word.startsWith("--json="));
}
