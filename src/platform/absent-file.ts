/** Configuration files that a machine or a user may have or not. */
import { lstatSync } from "node:fs";
import { hasErrno } from "../errors/index.ts";

/**
 * True when `error`, met on reading `path`, means that there is no such file or directory.
 *
 * A place that may not even be looked into counts as empty: under su or sudo, HOME can be another user's, whose
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
