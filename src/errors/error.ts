/** The one error class, its closed set of codes, and conversions of other errors into it. */
/**
 * The kinds of failure. They are kept apart because a caller acts differently on each:
 *
 * - `usage`: the command line or an argument is wrong.
 * - `corrupt`: bytes do not follow their format, or do not have the digest they should have.
 * - `untrusted`: bytes are well formed but nothing trusted vouches for them.
 * - `unsupported`: well formed, but asks for something not supported here (also: the system lacks a feature).
 * - `not-found`, `exists`, `no-access`, `no-space`, `read-only`: the file system or registry said so.
 * - `no-network`: another machine could not be reached, or the connection to it broke for good.
 * - `conflict`: two statements that must agree do not (a key and its certificate, a repository and its settings).
 * - `missing-tool`: a program of the system is needed and absent.
 * - `timeout`: something did not answer in time.
 * - `failed`: a program or the system refused for a reason of its own, which the message carries.
 */
export type ErrorCode =
  | "usage"
  | "corrupt"
  | "untrusted"
  | "unsupported"
  | "not-found"
  | "exists"
  | "no-access"
  | "no-network"
  | "no-space"
  | "read-only"
  | "conflict"
  | "missing-tool"
  | "timeout"
  | "failed";

/** What an error knows besides its sentence. Every field is optional; all are plain data and survive JSON. */
export interface ErrorData {
  /** The named step that failed, such as "pull layers"; {@link SealrootError.during} sets it. */
  readonly step?: string;
  /** The file, reference, host or object concerned. */
  readonly path?: string;
  /** Byte offset in the input, from its beginning. */
  readonly offset?: number;
  /** 1-based line of a text input. */
  readonly line?: number;
  readonly expected?: string;
  readonly actual?: string;
  /** The last lines a program or machine printed. */
  readonly output?: readonly string[];
  /** The way out: a clause with a lower-case first letter (names and acronyms keep theirs), no final period. */
  readonly hint?: string;
}

/** A message contains parts of inputs, whose authors must not be able to add lines of their own or fill a terminal. */
const MESSAGE_MAX_CHARACTERS = 2000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: C0, DEL and C1 (ISO 6429), line and paragraph separator
const CONTROL_CHARACTER = /[\0-\x1f\x7f-\x9f\u2028\u2029]/g;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text with its control characters written as in JSON: it stays on its line, whatever is in it. */
export function oneLine(text: string): string {
  return text.replace(CONTROL_CHARACTER, (character) => {
    return SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function cutMessage(message: string): string {
  return message.length <= MESSAGE_MAX_CHARACTERS ? message : `${message.slice(0, MESSAGE_MAX_CHARACTERS - 1)}…`;
}

/**
 * A failure with a code and data. The message is one line: what could not be done, a colon, the state found; no final
 * period. Control characters in it are escaped, and it is cut after 2000 characters; the hint too.
 */
export class SealrootError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, data: ErrorData = {}, cause?: unknown) {
    super(cutMessage(oneLine(message)), cause === undefined ? undefined : { cause });
    this.name = "SealrootError";
    this.code = code;
    this.data = data.hint === undefined ? data : { ...data, hint: cutMessage(oneLine(data.hint)) };
  }

  /** The same failure with the step it happened in; of nested steps the innermost stays. */
  during(step: string): SealrootError {
    if (this.data.step !== undefined) return this;
    const failure = new SealrootError(this.code, this.message, { step, ...this.data }, this.cause);
    if (this.stack !== undefined) failure.stack = this.stack;
    return failure;
  }

  /** The error as plain data, for `--json` (docs/schema/error.json). */
  toJSON(): { code: ErrorCode; message: string } & ErrorData {
    return { code: this.code, message: this.message, ...this.data };
  }
}

/** Shorthand for the most common failure of a format room: the input is not what its format says. */
export function corrupt(message: string, data: ErrorData = {}): SealrootError {
  return new SealrootError("corrupt", message, data);
}

const CODE_OF_ERRNO: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not-found",
  ENOTDIR: "not-found",
  EEXIST: "exists",
  EACCES: "no-access",
  EPERM: "no-access",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "no-space",
  EROFS: "read-only",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOSYS: "unsupported",
  ENOTTY: "unsupported",
};

/** The message of any thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Turns any thrown value into a SealrootError, keeping those that already are. A Node system error (`code` "ENOSPC" …)
 * gets the matching code.
 *
 * @param action what was being done, such as `Cannot write the object`; becomes the beginning of the message
 */
export function asSealrootError(error: unknown, action: string, data: ErrorData = {}): SealrootError {
  if (error instanceof SealrootError) return error;
  const errno = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const reason = reasonOf(error);
  return new SealrootError(CODE_OF_ERRNO[errno] ?? "failed", `${action}: ${reason}`, data, error);
}

/** True when `error` is a Node system error with one of these errno names, such as "ENOENT". */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && "code" in error && names.some((name) => error.code === name);
}
