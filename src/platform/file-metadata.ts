/** Making and dating files where Node has no call: devices, pipes, sockets, times with nanoseconds. */
import { AT_FDCWD, callLibc, cString, type FilePath } from "./libc.ts";

/** linux/fcntl.h and linux/stat.h */
const AT_SYMLINK_NOFOLLOW = 0x100;
const UTIME_OMIT = 0x3ffffffe;
/** struct timespec of the 64-bit systems: seconds, nanoseconds. */
const TIMESPEC_BYTES = 16;

/**
 * Makes a device, pipe or socket (mknod(2)).
 *
 * @param mode type and permission bits, minus the umask
 * @param rdev for devices: the number in the kernel's 32-bit encoding, which is also libc's below major 4096
 */
export function makeNode(path: FilePath, mode: number, rdev: number): void {
  callLibc("mknod", path, cString(path), mode, rdev);
}

/** Sets the modification time, of a link itself; the access time stays. */
export function setModificationTime(path: FilePath, seconds: bigint, nanoseconds: number): void {
  const times = Buffer.alloc(2 * TIMESPEC_BYTES);
  times.writeBigInt64LE(BigInt(UTIME_OMIT), 8);
  times.writeBigInt64LE(seconds, TIMESPEC_BYTES);
  times.writeBigInt64LE(BigInt(nanoseconds), TIMESPEC_BYTES + 8);
  callLibc("utimensat", path, AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW);
}
