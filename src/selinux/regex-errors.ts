/** What can be wrong with an expression; the reader of the file adds file and line. */
import { SealrootError } from "../errors/index.ts";

/** Broken syntax. */
export function corruptRegex(reason: string): SealrootError {
  return new SealrootError("corrupt", reason);
}

/** Syntax whose meaning in the reference tool is unclear, or that no automaton can handle. */
export function unsupportedRegex(what: string): SealrootError {
  return new SealrootError("unsupported", `${what} in a regular expression is not supported`);
}
