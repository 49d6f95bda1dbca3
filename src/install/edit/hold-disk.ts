/** The disk that is looked into or changed, held so that nobody else uses it meanwhile. */
import { closeSync, constants, fstatSync, openSync, realpathSync, type Stats, statSync } from "node:fs";
import { inspectBlockDevice } from "../../disk/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { hasRecordLock, tryLock, tryRecordLock } from "../../platform/index.ts";
import { loopDeviceOf } from "../file-in-use.ts";

/** An open disk. While it is open for writing, virtual machine monitors and other editors refuse it. */
export interface HeldDisk extends Disposable {
  /** Free of symbolic links. */
  readonly path: string;
  readonly fd: number;
  readonly sizeBytes: number;
}

/**
 * Opens a disk file, or to read a block device.
 *
 * @param forWriting whether it is to be replaced by a changed copy
 * @throws SealrootError `conflict` when somebody uses it; `unsupported` for a block device that is to be changed, and for
 *   anything else that is not a disk; `not-found`, `no-access`
 */
export function holdDisk(given: string, forWriting: boolean): HeldDisk {
  const action = `Cannot ${forWriting ? "edit" : "read"} the disk ${given}`;
  let fd: number | undefined;
  try {
    const path = realpathSync(given);
    const state = statSync(path);
    if (state.isBlockDevice()) refuseDevice(path, action, forWriting);
    else if (!state.isFile()) throw new SealrootError("unsupported", `${action}: it is not a disk file`, { path });
    fd = openSync(path, (forWriting ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK);
    const opened = fstatSync(fd);
    if (state.isFile()) refuseUsed(path, fd, opened, action, forWriting);
    const held = fd;
    return { path, fd: held, sizeBytes: opened.size, [Symbol.dispose]: () => closeSync(held) };
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (hasErrno(error, "ENOENT"))
      throw new SealrootError("not-found", `${action}: there is no such file`, { path: given });
    throw asSealrootError(error, action, { path: given });
  }
}

/** A change of a device could not be all or nothing: there is no copy to exchange it with. */
function refuseDevice(path: string, action: string, forWriting: boolean): void {
  if (forWriting) {
    throw new SealrootError("unsupported", `${action}: it is a block device, only disk files are changed`, {
      path,
      hint: "as root, mount its root partition and run: sealroot install mount --sysroot DIR --latest TARGET",
    });
  }
  const use = inspectBlockDevice(path).uses[0];
  if (use !== undefined) throw new SealrootError("conflict", `${action}: ${use}`, { path });
}

function refuseUsed(path: string, fd: number, opened: Stats, action: string, forWriting: boolean): void {
  const loop = loopDeviceOf(opened, "/sys");
  const use =
    loop !== undefined ? `used by /dev/${loop}` : isLocked(fd, forWriting) ? "locked by another program" : undefined;
  if (use !== undefined) {
    throw new SealrootError("conflict", `${action}: it is ${use}`, { path, hint: "stop what uses it" });
  }
  // Another editor may have exchanged the file between our looking and our lock.
  const now = statSync(path, { throwIfNoEntry: false });
  if (now?.ino === opened.ino && now.dev === opened.dev) return;
  throw new SealrootError("conflict", `${action}: it has just been replaced`, { path, hint: "run it again" });
}

/** QEMU's locks are record locks of single bytes; editors hold both kinds. */
function isLocked(fd: number, forWriting: boolean): boolean {
  try {
    if (!forWriting) return hasRecordLock(fd) || !tryLock(fd, "shared");
    return !tryRecordLock(fd, "exclusive") || !tryLock(fd, "exclusive");
  } catch {
    // A file system without locks.
    return false;
  }
}
