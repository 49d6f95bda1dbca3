/** Directories of the repository that must be its own: a link in their place would redirect every write. */

import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { corrupt, hasErrno } from "../errors/index.ts";
import { sortedEntries } from "../objects/index.ts";

const MODE = 0o755;
/** Every directory that writers enter without another check; absent ones are made when needed. */
const FIXED_DIRECTORIES = ["objects", "streams", "streams/refs", "images", "images/refs"];

/**
 * Checks the fixed directories of a repository and those of its objects.
 * @throws SealrootError `corrupt` when one is a symbolic link or a file
 */
export function requireOwnDirectories(repositoryPath: string): void {
  for (const relative of FIXED_DIRECTORIES) requireOwnDirectory(repositoryPath, relative);
  const linked = sortedEntries(join(repositoryPath, "objects")).find(
    (entry) => entry.isSymbolicLink() && /^[0-9a-f]{2}$/.test(entry.name),
  );
  if (linked !== undefined) throw notOwn(join(repositoryPath, "objects", linked.name));
}

/**
 * Checks each directory on the way from the repository's root to `relative`; those that do not exist are fine.
 * @throws SealrootError `corrupt`
 */
export function requireOwnDirectory(repositoryPath: string, relative: string): void {
  let path = repositoryPath;
  for (const component of relative.split("/")) {
    path = join(path, component);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false) throw notOwn(path);
  }
}

/**
 * Makes the missing directories on the way to `relative`, but not the repository: it may be being removed.
 * @throws SealrootError `corrupt` as above
 */
export function makeOwnDirectory(repositoryPath: string, relative: string): void {
  requireOwnDirectory(repositoryPath, relative);
  let path = repositoryPath;
  for (const component of relative.split("/")) {
    path = join(path, component);
    makeDirectoryIfAbsent(path);
  }
}

function makeDirectoryIfAbsent(path: string): void {
  try {
    mkdirSync(path, MODE);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
}

function notOwn(path: string): Error {
  return corrupt(`Cannot use the repository: ${path} is not a directory of its own`, {
    path,
    hint: "move away what is there; a link could lead writes out of the repository",
  });
}
