/** Who currently uses a disk file: replacing it would leave them with the old one. */
import { closeSync, openSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { namesInIfReadable, tryLock, tryRecordLock } from "../platform/index.ts";

/**
 * The use of a plain file, for a person to read: "used by /dev/loop0", "locked by another program".
 *
 * Virtual machine monitors lock their disks (QEMU by byte ranges of the kind that {@link tryRecordLock} sees).
 *
 * @param sys where sysfs is mounted
 * @returns undefined if nobody is known to use it
 */
export function useOfFile(path: string, state: Stats, sys = "/sys"): string | undefined {
  const loop = loopDeviceOf(state, sys);
  if (loop !== undefined) return `used by /dev/${loop}`;
  const fd = openSync(path, "r+");
  try {
    return tryRecordLock(fd, "exclusive") && tryLock(fd, "exclusive") ? undefined : "locked by another program";
  } catch {
    // A file system without locks.
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/**
 * The loop device that uses a plain file, such as `loop0`. sysfs has the path of the file as it was when the device was set
 * up (Documentation/ABI/testing/sysfs-block-loop).
 */
export function loopDeviceOf(state: Stats, sys: string): string | undefined {
  const folder = join(sys, "block");
  return namesInIfReadable(folder).find((name) => {
    const path = contentOf(join(folder, name, "loop/backing_file"));
    const backing = path === undefined ? undefined : statIfThere(path);
    return backing?.dev === state.dev && backing.ino === state.ino;
  });
}

function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Without the final newline; undefined if there is no such file. */
function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").replace(/\n$/, "");
  } catch {
    return undefined;
  }
}
