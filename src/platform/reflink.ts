/** Sharing a file's blocks instead of copying them (ioctl_ficlone(2)). */
import { hasErrno } from "../errors/index.ts";
import { callLibc } from "./libc.ts";

/** linux/fs.h: _IOW(0x94, 9, int) */
const FICLONE = 0x40049409;

/**
 * Makes `targetFd` (open for writing) share all blocks of `sourceFd`.
 * @returns false when that is impossible: another file system, or one without shared blocks
 */
export function cloneBlocks(sourceFd: number, targetFd: number): boolean {
  try {
    // The argument is the descriptor itself, in place of a pointer.
    callLibc("ioctl", undefined, targetFd, FICLONE, BigInt(sourceFd));
    return true;
  } catch (error) {
    const refusals = ["EOPNOTSUPP", "ENOTSUP", "ENOTTY", "EXDEV", "EINVAL"];
    if (refusals.some((code) => hasErrno(error, code))) return false;
    throw error;
  }
}
