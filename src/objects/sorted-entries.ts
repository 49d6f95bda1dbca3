/** Listing the directories of a repository. */
import { type Dirent, readdirSync } from "node:fs";
import { asSealrootError, hasErrno } from "../errors/index.ts";

/** The directory's entries by name; none when it does not exist. */
export function sortedEntries(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw asSealrootError(error, "Cannot read a directory of the repository", { path });
  }
}
