/**
 * What a killed process leaves, and how the next one tells it from what is in use: every temporary file and
 * directory has a record lock as long as its process lives. The kernel releases the lock with the process, whatever
 * ended it; a process id could be another's by then.
 *
 * Such a lock on a directory can only be shared and excludes nobody, so making and collecting also exclude each other
 * briefly by flock(2).
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, rmSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { tryLock, unlock } from "./lock.ts";
import { namesInIfReadable } from "./names-in.ts";
import { hasRecordLock, tryRecordLock } from "./record-lock.ts";
import { removeTree } from "./remove-tree.ts";
import { isTemporaryName } from "./temporary-name.ts";

const GROUP_AND_OTHERS_WRITE = 0o022;

/**
 * Locks a temporary file or directory that was just made, as long as `fd` is open.
 *
 * @returns false when a collector saw it before it was locked: it is lost, and another must be made
 */
export function holdTemporary(fd: number, path: string): boolean {
  try {
    if (!tryLock(fd, "exclusive")) return false;
    tryRecordLock(fd, "shared");
    unlock(fd);
  } catch {
    // A file system without locks (NFS for directories): no collector gets one either, so nothing is collected.
    return true;
  }
  return isStillNamed(fd, path);
}

/**
 * Removes what dead processes of this user left in the directory. What cannot be removed, is locked or belongs to
 * somebody else silently stays: nothing depends on it.
 */
export function collectLeftovers(directory: string): void {
  for (const name of namesInIfReadable(directory)) {
    if (!isTemporaryName(name)) continue;
    try {
      collect(join(directory, name));
    } catch {
      // Another collector was faster, or it is not ours to remove.
    }
  }
}

function collect(path: string): void {
  // Inspected before it is opened: opening a device or pipe may have effects.
  if (!isOurs(lstatSync(path))) return;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const state = fstatSync(fd);
    if (!isOurs(state) || !tryLock(fd, "exclusive") || hasRecordLock(fd) || !isStillNamed(fd, path)) return;
    // A mount there (repo mount makes one briefly) must not be emptied.
    if (state.isDirectory() && state.dev !== statSync(dirname(path)).dev) return;
    if (state.isDirectory()) removeTree(path);
    else rmSync(path, { force: true });
  } finally {
    closeSync(fd);
  }
}

/**
 * In a directory that everybody writes to, such as /var/tmp, somebody may make something that looks like ours, to lead
 * a collector running as root elsewhere while it walks there.
 */
function isOurs(state: Stats): boolean {
  const isPlain = state.isDirectory() || state.isFile();
  return isPlain && state.uid === process.geteuid?.() && (state.mode & GROUP_AND_OTHERS_WRITE) === 0;
}

function isStillNamed(fd: number, path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(fd);
  return found?.dev === dev && found.ino === ino;
}
