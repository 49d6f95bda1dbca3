/**
 * Record locks on whole files (fcntl_locking(2)): of the kind that belongs to the open file, like flock's, so closing
 * another descriptor of the file does not drop it. They conflict with the older kind, which belongs to the process;
 * flock's are independent of both.
 */
import { endianness } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno, SealrootError } from "../errors/index.ts";
import { callLibc } from "./libc.ts";
import type { LockMode } from "./lock.ts";

/** F_OFD_GETLK and F_OFD_SETLK of linux/fcntl.h. */
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
/** F_UNLCK of asm-generic/fcntl.h. */
const UNLOCKED = 2;
/** F_RDLCK and F_WRLCK of asm-generic/fcntl.h. */
const LOCK_TYPE: Readonly<Record<LockMode, number>> = { shared: 0, exclusive: 1 };
/**
 * struct flock of a 64-bit system: l_type and l_whence, two bytes each, then from byte 8 l_start, l_len and l_pid. All
 * zeros except the type: from the beginning to the end, wherever that will be.
 */
const STRUCT_FLOCK_BYTES = 32;

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/**
 * Takes a lock on the whole file if that is possible at once; it is released when the descriptor is closed.
 *
 * @param fd open for reading for a shared lock, for writing for an exclusive one
 * @returns false when somebody else's lock is in the way
 */
export function tryRecordLock(fd: number, mode: LockMode): boolean {
  try {
    callFcntl(fd, F_OFD_SETLK, lockOf(mode));
    return true;
  } catch (error) {
    if (hasErrno(error, "EAGAIN", "EACCES")) return false;
    throw error;
  }
}

/**
 * Whether somebody else holds a record lock of any kind on the file. Nothing is locked, so the descriptor need not be
 * open for writing, which is impossible for a directory.
 */
export function hasRecordLock(fd: number): boolean {
  const lock = lockOf("exclusive");
  callFcntl(fd, F_OFD_GETLK, lock);
  return lock.readInt16LE(0) !== UNLOCKED;
}

function lockOf(mode: LockMode): Buffer {
  if (endianness() !== "LE") throw new SealrootError("unsupported", "Cannot lock a file: the system is big-endian");
  const lock = Buffer.alloc(STRUCT_FLOCK_BYTES);
  lock.writeInt16LE(LOCK_TYPE[mode], 0);
  return lock;
}

function callFcntl(fd: number, command: number, lock: Buffer): void {
  // After the two named parameters each value follows its type.
  callLibc("fcntl", undefined, fd, command, "void *", lock);
}

/**
 * As {@link tryRecordLock}, waiting without blocking the event loop.
 * @returns false when `timeoutMs` have passed first
 */
export async function waitForRecordLock(fd: number, mode: LockMode, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; !tryRecordLock(fd, mode); pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (performance.now() >= endMs) return false;
    await sleep(pauseMs);
  }
  return true;
}
