/** Files that have no name until they are complete (open(2) O_TMPFILE, linkat(2)). */
import { constants, openSync } from "node:fs";
import { hasErrno } from "../errors/index.ts";
import { AT_FDCWD, callLibc, cString, type FilePath } from "./libc.ts";

/** __O_TMPFILE of asm-generic/fcntl.h, the same on x86-64 and arm64; O_DIRECTORY differs and comes from Node. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const AT_SYMLINK_FOLLOW = 0x400;

/**
 * Opens a new file without a name in the directory's file system, for reading and writing. It vanishes when closed.
 *
 * @param mode permission bits, minus the umask
 * @returns the descriptor, or undefined if the file system has no O_TMPFILE
 */
export function openUnnamedFile(directory: FilePath, mode: number): number | undefined {
  try {
    return openSync(directory, O_TMPFILE | constants.O_RDWR, mode);
  } catch (error) {
    // EISDIR: to kernels and file systems without the flag this is an attempt to write a directory.
    if (hasErrno(error, "EOPNOTSUPP", "ENOTSUP") || hasErrno(error, "EISDIR")) return undefined;
    throw error;
  }
}

/**
 * Gives the open file a name. Needs /proc.
 * @throws Error with code EEXIST when the name is taken
 */
export function linkOpenFile(fd: number, path: FilePath): void {
  // linkat with AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH.
  callLibc("linkat", path, AT_FDCWD, cString(`/proc/self/fd/${fd}`), AT_FDCWD, cString(path), AT_SYMLINK_FOLLOW);
}

/** A second, read-only descriptor of the same open file: then the writing one can be closed. */
export function reopenForReading(fd: number): number {
  return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
}
