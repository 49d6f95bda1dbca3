/** Where verbs print: results on standard output, everything else on standard error. */
import { hasErrno, reasonOf, SealrootError } from "../errors/index.ts";
import type { Output } from "../verbs/index.ts";

const WHAT = "Cannot write to standard output";
const READER_GONE = `${WHAT}: its reader has closed it`;

/** True when nobody reads the result any more, as after `| head`: there is nothing to say, and nobody to say it to. */
export function isReaderGone({ code, message }: SealrootError): boolean {
  // A step that it passed through has made another error of it, with the same message.
  return code === "failed" && message === READER_GONE;
}

/** An output that can be full, or lose its reader. */
export interface ProcessOutput extends Output {
  /** Waits until everything is written. @throws SealrootError when something was not, unless that was thrown before */
  finish(): Promise<void>;
}

/** The output of the real process. After a result could not be written, every further attempt throws the reason. */
export function processOutput(): ProcessOutput {
  let failure: SealrootError | undefined;
  let isTold = false;
  const fail = (): never => {
    isTold = true;
    throw failure;
  };
  process.stdout.on("error", (error) => {
    failure ??= writeFailure(error);
  });
  // If remarks cannot be written there is nobody to tell; the exit code stays.
  process.stderr.on("error", () => {});
  const write = (text: string) => {
    if (failure !== undefined) fail();
    process.stdout.write(text);
  };
  const writeBytes = (chunk: Uint8Array) =>
    new Promise<void>((resolve) => process.stdout.write(chunk, () => resolve())).then(() => {
      if (failure !== undefined) fail();
    });
  return {
    isTerminal: process.stdout.isTTY === true,
    line: (text) => write(`${text}\n`),
    bytes: writeBytes,
    json: (value) => write(`${JSON.stringify(value, undefined, 2)}\n`),
    remark: (text) => {
      process.stderr.write(`${text}\n`);
    },
    finish: async () => {
      if (!isTold) await writeBytes(new Uint8Array(0));
    },
  };
}

function writeFailure(error: Error): SealrootError {
  if (hasErrno(error, "EPIPE")) return new SealrootError("failed", READER_GONE);
  if (hasErrno(error, "ENOSPC")) return new SealrootError("no-space", `${WHAT}: no space is left there`);
  return new SealrootError("failed", `${WHAT}: ${reasonOf(error)}`, {}, error);
}
