/** Advisory locks on open files and directories (flock(2)). */
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno } from "../errors/index.ts";
import { callLibc } from "./libc.ts";

export type LockMode = "shared" | "exclusive";

// asm-generic/fcntl.h
const LOCK: Readonly<Record<LockMode, number>> = { shared: 1, exclusive: 2 };
const LOCK_NONBLOCKING = 4;
const LOCK_UNLOCK = 8;

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/**
 * Takes the lock, or converts the one this descriptor holds, if that is possible at once. A conversion is not atomic:
 * the old lock is released first, even if the new one is not available.
 *
 * @returns false when somebody else's lock is in the way
 */
export function tryLock(fd: number, mode: LockMode): boolean {
  for (;;) {
    try {
      callLibc("flock", undefined, fd, LOCK[mode] | LOCK_NONBLOCKING);
      return true;
    } catch (error) {
      if (hasErrno(error, "EAGAIN")) return false;
      if (!hasErrno(error, "EINTR")) throw error;
    }
  }
}

/**
 * Takes the lock, waiting for it without blocking the event loop.
 * @returns false when `timeoutMs` have passed first
 */
export async function waitForLock(fd: number, mode: LockMode, timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_PAUSE_MS; !tryLock(fd, mode); pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (performance.now() >= endMs) return false;
    await sleep(pauseMs);
  }
  return true;
}

/** Releases the lock; closing the last descriptor does the same. */
export function unlock(fd: number): void {
  callLibc("flock", undefined, fd, LOCK_UNLOCK);
}
