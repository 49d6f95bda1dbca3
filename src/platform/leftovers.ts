/**
 * What a process that was killed leaves behind, and how the next one tells it from what is in use: every temporary file
 * and directory has a record lock as long as its process lives. The kernel gives the lock up with the process, whatever
 * ended it; a process id could by then be another's.
 *
 * Such a lock on a directory can only be shared and keeps nobody away, so making and collecting also exclude each other
 * by flock(2), for a moment.
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
 * Locks a temporary file or directory that was just made, for as long as `fd` is open.
 *
 * @returns false when a collector saw it before it was locked: it is lost, and another must be made
 */
export function holdTemporary(fd: number, path: string): boolean {
  try {
    if (!tryLock(fd, "exclusive")) return false;
    tryRecordLock(fd, "shared");
    unlock(fd);
  } catch {
    // A file system without locks (NFS for directories): no collector gets one either, and nothing is collected.
    return true;
  }
  return isStillNamed(fd, path);
}

/**
 * Removes what dead processes of this user left in the directory. What cannot be removed, is locked or belongs to
 * somebody else stays, without a word: it is no condition of anything.
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
  // Looked at before it is opened: opening a device or pipe may do something.
  if (!isOurs(lstatSync(path))) return;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const state = fstatSync(fd);
    if (!isOurs(state) || !tryLock(fd, "exclusive") || hasRecordLock(fd) || !isStillNamed(fd, path)) return;
    // What is mounted there (repo mount does that for a moment) is not to be emptied.
    if (state.isDirectory() && state.dev !== statSync(dirname(path)).dev) return;
    if (state.isDirectory()) removeTree(path);
    else rmSync(path, { force: true });
  } finally {
    closeSync(fd);
  }
}

/**
 * In a directory that everybody writes to, such as /var/tmp, somebody may make what looks like ours, to lead a
 * collector who is root elsewhere while it walks there.
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
