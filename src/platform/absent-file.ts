/** Configuration files that a machine or user may or may not have. */
import { lstatSync } from "node:fs";
import { hasErrno } from "../errors/index.ts";

/**
 * True when `error`, from reading `path`, means that there is no such file or directory.
 *
 * An inaccessible place counts as empty: under su or sudo, HOME can be another user's, whose
 * configuration is not ours (the reference does the same). A file that can be seen but not read is an error.
 */
export function isAbsent(error: unknown, path: string): boolean {
  if (hasErrno(error, "ENOENT", "ENOTDIR")) return true;
  return hasErrno(error, "EACCES") && !isVisible(path);
}

function isVisible(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
