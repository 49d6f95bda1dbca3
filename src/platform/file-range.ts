/** Reading and writing a range of an open file whole: one call may do less than it was asked for (read(2), write(2)). */
import { readSync, writeSync } from "node:fs";

/**
 * Fills `target` from `position` on.
 * @returns how many bytes there were: fewer than asked for when the file ends before
 * @throws Error of the file system
 */
export function readUpTo(fd: number, target: Uint8Array, position: number): number {
  for (let at = 0; at < target.length; ) {
    const count = readSync(fd, target, at, target.length - at, position + at);
    if (count === 0) return at;
    at += count;
  }
  return target.length;
}

/**
 * Writes all of `bytes`, at `position` or, without one, where the file is.
 * @throws Error of the file system
 */
export function writeWhole(fd: number, bytes: Uint8Array, position?: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(fd, bytes, at, bytes.length - at, position === undefined ? null : position + at);
  }
}
