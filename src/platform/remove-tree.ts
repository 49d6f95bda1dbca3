/** Removing a directory for good, even while somebody still writes into it. */
import { chmodSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasErrno } from "../errors/index.ts";
import { temporaryName } from "./temporary-name.ts";

/** How long writers get in total to stop. */
const PATIENCE_MS = 5000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/**
 * Removes the directory with everything in it, without letting the process do anything else meanwhile. It may be
 * absent.
 *
 * It is renamed first: threads and programs that use its path then find nothing and can make nothing new, and we wait
 * for what they had begun.
 *
 * @throws Error of the system when something cannot be removed, or when somebody keeps writing for five seconds
 */
export function removeTree(path: string): void {
  const endMs = performance.now() + PATIENCE_MS;
  // More than once if somebody makes the directory and its parents again.
  for (;;) {
    const away = join(dirname(path), temporaryName("gone"));
    try {
      renameSync(path, away);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return;
      // Its parent may not be ours to change (EACCES), or it is a mount point (EBUSY).
      removeWithPatience(path, endMs);
      return;
    }
    removeWithPatience(away, endMs);
    if (performance.now() > endMs) return;
  }
}

function removeWithPatience(path: string, endMs: number): void {
  let opened = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      if (hasErrno(error, "EACCES", "EPERM") && !opened) {
        opened = true;
        openDirectories(path);
      } else if (!hasErrno(error, "ENOTEMPTY", "EEXIST", "EBUSY") || performance.now() > endMs) throw error;
      else sleepNow(pauseMs);
    }
  }
}

/** Directories without write permission protect their contents even from their owner. */
function openDirectories(path: string): void {
  chmodSync(path, 0o700);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openDirectories(join(path, entry.name));
  }
}

/** Without the event loop, which would continue the work that must end. */
function sleepNow(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
