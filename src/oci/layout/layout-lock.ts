/** Locks on a layout directory, as several programs may write into one: a lock for its index, and one that all writers share. */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, SealrootError } from "../../errors/index.ts";
import { type LockMode, tryLock, waitForLock } from "../../platform/index.ts";

/** The index is held only while two small files are written. */
const INDEX_TIMEOUT_MS = 120_000;

/** Errors of file systems without locks, such as NFS for directories: all one can do is continue. */
const NO_LOCKS = ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL", "EBADF"];

/**
 * Keeps other writers from the index of a layout while it is read, changed and replaced.
 *
 * @returns what releases the lock; undefined when the directory was replaced or removed in the meantime
 * @throws SealrootError `timeout`
 */
export async function lockIndex(directory: string): Promise<Disposable | undefined> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const isLocked = await waitForLock(fd, "exclusive", INDEX_TIMEOUT_MS).catch(goOnWithoutLocks);
    if (!isLocked) {
      const what = `Cannot write to OCI layout ${directory}: another program has kept its index locked for ${INDEX_TIMEOUT_MS / 1000} s`;
      throw new SealrootError("timeout", what, { path: directory });
    }
    if (isStillNamed(fd, directory)) return heldLock(fd, directory);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

/** Indexes that this process currently holds: its own clean-up must not wait for itself. */
const held = new Set<string>();

function heldLock(fd: number, directory: string): Disposable {
  held.add(directory);
  return {
    [Symbol.dispose]: () => {
      held.delete(directory);
      closeSync(fd);
    },
  };
}

/** As {@link lockIndex}, without waiting: undefined when another program has the lock, or there is no directory. */
export function tryLockIndex(directory: string): Disposable | undefined {
  if (held.has(directory)) return { [Symbol.dispose]: () => {} };
  try {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    if (lockNow(fd, "exclusive") && isStillNamed(fd, directory)) return heldLock(fd, directory);
    closeSync(fd);
  } catch {
    // What cannot be locked is left alone.
  }
  return undefined;
}

/** True when nobody has joined; also for what is not a layout yet. */
export function hasNoWriters(directory: string): boolean {
  try {
    return joinWriters(directory).leaveAlone();
  } catch {
    return true;
  }
}

/** One of the writers of a layout. */
export interface LayoutWriter {
  /** Call when nothing more is written. */
  leave(): void;
  /** As {@link leave}; true when nobody else was writing. */
  leaveAlone(): boolean;
}

/** Joins the writers of the layout: a writer that gives up must not remove what others rely on. */
export function joinWriters(directory: string): LayoutWriter {
  const fd = openSync(join(directory, "blobs"), constants.O_RDONLY | constants.O_DIRECTORY);
  let isOpen = true;
  const leave = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  lockNow(fd, "shared");
  return {
    leave,
    leaveAlone: () => {
      const isAlone = isOpen && lockNow(fd, "exclusive");
      leave();
      return isAlone;
    },
  };
}

function lockNow(fd: number, mode: LockMode): boolean {
  try {
    return tryLock(fd, mode);
  } catch (error) {
    return goOnWithoutLocks(error);
  }
}

function goOnWithoutLocks(error: unknown): true {
  if (hasErrno(error, ...NO_LOCKS)) return true;
  throw error;
}

function isStillNamed(fd: number, path: string): boolean {
  const [opened, named] = [fstatSync(fd), statSync(path, { throwIfNoEntry: false })];
  return named?.dev === opened.dev && named.ino === opened.ino;
}
