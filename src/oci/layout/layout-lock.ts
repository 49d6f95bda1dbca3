/** Locks on a layout directory, as several programs may write into one: a lock for its index, and one that all writers share. */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, SealrootError } from "../../errors/index.ts";
import { type LockMode, tryLock, waitForLock } from "../../platform/index.ts";

/** The index is held for as long as two small files take to be written. */
const INDEX_TIMEOUT_MS = 120_000;

/** Errors of file systems that have no locks, such as NFS for directories: there is nothing better than to go on. */
const NO_LOCKS = ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EINVAL", "EBADF"];

/**
 * Keeps other writers from the index of a layout while it is read, changed and replaced.
 *
 * @returns what gives the lock up; undefined when the directory was replaced or removed in the meantime
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

/** Indexes that this process holds at the moment: its own clean-up must not wait for itself. */
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
    // What cannot be locked is left as it is.
  }
  return undefined;
}

/** True when nobody has joined; also for what is no layout yet. */
export function hasNoWriters(directory: string): boolean {
  try {
    return joinWriters(directory).leaveAlone();
  } catch {
    return true;
  }
}

/** One of those who write into a layout. */
export interface LayoutWriter {
  /** Says that nothing more is written. */
  leave(): void;
  /** As {@link leave}; true when nobody else was writing. */
  leaveAlone(): boolean;
}

/** Joins those who write into the layout: whoever gives up must not take from others what they count on. */
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
