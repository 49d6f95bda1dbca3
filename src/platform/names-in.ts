/** What is in a directory that need not be there. */
import { readdirSync, statSync } from "node:fs";
import { asSealrootError, hasErrno } from "../errors/index.ts";

/** The names in a directory, in the system's order; none if there is no such directory or it cannot be read. */
export function namesInIfReadable(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * The names in a directory, sorted; none if there is no such directory, or something else in its place.
 * @throws SealrootError for one that cannot be read
 */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw asSealrootError(error, `Cannot list ${directory}`, { path: directory });
  }
}

/**
 * As {@link namesIn}, but something else in its place is an error.
 * @param action for the error, such as `Cannot read the update hooks`
 */
export function namesInDirectory(directory: string, action = `Cannot list ${directory}`): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const isNothing =
      hasErrno(error, "ENOENT", "ENOTDIR") && statSync(directory, { throwIfNoEntry: false }) === undefined;
    if (isNothing) return [];
    throw asSealrootError(error, action, { path: directory });
  }
}
