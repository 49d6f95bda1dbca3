/** Opening a file below a directory without leaving it, whatever the names are (openat2(2)). */
import { constants } from "node:fs";
import { callLibc, cString } from "./libc.ts";

/** Its number on every architecture (asm-generic/unistd.h). glibc has had a function for it only since 2.42. */
const SYS_OPENAT2 = 437;
/** RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH of linux/openat2.h. */
const RESOLVE = 0x04 | 0x08;
/** asm-generic/fcntl.h, the same on x86-64 and arm64. */
const O_CLOEXEC = 0o2000000;
/** struct open_how: flags, mode, resolve. */
const OPEN_HOW_BYTES = 24;

/**
 * Opens a file for reading. No component of the path may be a symbolic link, and `..` does not lead out of the
 * directory; it does not wait for a pipe.
 *
 * @param directoryFd an open directory
 * @param path relative to it, as bytes
 * @throws Error with code ENOENT, ENOTDIR; ELOOP for a symbolic link, EXDEV for a way out; ENOSYS before Linux 5.6
 */
export function openBeneath(directoryFd: number, path: Buffer): number {
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE), 16);
  // After the named parameter each value follows its type.
  const words = ["int", directoryFd, "void *", cString(path), "void *", how, "size_t", OPEN_HOW_BYTES];
  return callLibc("syscall", path, SYS_OPENAT2, ...words);
}
