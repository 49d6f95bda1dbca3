/** What is mounted where, as this process sees it (proc_pid_mountinfo(5)). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../errors/index.ts";

export interface MountEntry {
  /** `major:minor` of the file system's device. */
  readonly device: string;
  /** What of the file system is mounted: `/`, or the directory of a bind mount. */
  readonly root: string;
  readonly mountPoint: string;
  /** Of this mount, such as `ro`. */
  readonly options: readonly string[];
  /** Such as `ext4`. */
  readonly type: string;
  readonly source: string;
  /** Of the file system. */
  readonly superOptions: readonly string[];
}

/**
 * All mounts, in the order in which they were made: of two on one directory the later is seen.
 * @param procDirectory tests give their own; without a table there nothing is mounted
 */
export function readMountTable(procDirectory = "/proc"): MountEntry[] {
  try {
    return parseMountTable(readFileSync(join(procDirectory, "self/mountinfo"), "utf8"));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Lines: id, parent, device, root, mount point, options, optional fields, `-`, type, source, options of the superblock. */
export function parseMountTable(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const separator = fields.indexOf("-", 6);
    const [, , device, root, mountPoint, options] = fields;
    const [type, source, superOptions] = separator < 0 ? [] : fields.slice(separator + 1);
    if (device === undefined || root === undefined || mountPoint === undefined || type === undefined) return [];
    return {
      device,
      root: plain(root),
      mountPoint: plain(mountPoint),
      options: (options ?? "").split(","),
      type,
      source: plain(source ?? ""),
      superOptions: (superOptions ?? "").split(","),
    };
  });
}

/** Blanks and a few more are written in octal. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** `major:minor` of st_rdev or st_dev (glibc's encoding, gnu_dev_major(3)). */
export function deviceNumberText(rdev: number): string {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n);
  const minor = (value & 0xffn) | ((value >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
