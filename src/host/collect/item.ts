/** Files and directories that a garbage collection of a host removes. */
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSealrootError, hasErrno } from "../../errors/index.ts";
import { removeTree, syncDirectory } from "../../platform/index.ts";
import type { HostProblem } from "../host.ts";

export interface PlannedItem {
  /** Relative to the boot directory, or to the physical root. */
  readonly path: string;
  /** Lengths of the files in it, however many names a file has. */
  readonly bytes: number;
}

export function plannedItem(root: string, path: string): PlannedItem {
  return { path, bytes: sizeOf(Buffer.from(join(root, path)), new Set()) };
}

/** As {@link plannedItem}, if there is such a thing. */
export function existingItems(root: string, path: string): PlannedItem[] {
  return lstatSync(join(root, path), { throwIfNoEntry: false }) === undefined ? [] : [plannedItem(root, path)];
}

/** What cannot be looked into counts as empty: its removal will say so. */
function sizeOf(path: Buffer, seen: Set<string>): number {
  try {
    const stat = lstatSync(path);
    if (stat.isDirectory()) {
      const names = readdirSync(path, { encoding: "buffer" });
      return names.reduce((sum, name) => sum + sizeOf(Buffer.concat([path, Buffer.from("/"), name]), seen), 0);
    }
    if (!stat.isFile()) return 0;
    const inode = `${stat.dev}:${stat.ino}`;
    if (seen.has(inode)) return 0;
    seen.add(inode);
    return stat.size;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES", "EIO", "ENOTDIR")) return 0;
    throw error;
  }
}

/**
 * Removes what was planned, one by one; what cannot be removed becomes a problem, and the rest goes.
 *
 * @param remove removes one; removeFromEsp() for the boot directory
 * @returns what is gone
 */
export function removeItems(
  root: string,
  items: readonly PlannedItem[],
  problems: HostProblem[],
  remove: (root: string, path: string) => void = removeItem,
): PlannedItem[] {
  const removed = items.filter(({ path }) => {
    const absolute = join(root, path);
    try {
      remove(root, path);
      return true;
    } catch (error) {
      problems.push({ subject: path, error: asSealrootError(error, `Cannot remove ${path}`, { path: absolute }) });
      return false;
    }
  });
  for (const directory of new Set(removed.map(({ path }) => dirname(join(root, path))))) syncDirectory(directory);
  return removed;
}

function removeItem(root: string, path: string): void {
  const absolute = join(root, path);
  if (lstatSync(absolute).isDirectory()) removeTree(absolute);
  else rmSync(absolute);
}
