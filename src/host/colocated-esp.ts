/**
 * The ESP of the disk that a host's root is on, for boot loaders that do not say which one they were started from: GRUB (bootc
 * looks for it in the same way).
 */
import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { hasErrno } from "../errors/index.ts";
import { namesIn } from "../platform/index.ts";

/** Where the kernel and udev tell of devices; tests give their own. */
export interface DeviceFolders {
  readonly sys: string;
  /** `/run/udev/data` */
  readonly udev: string;
}

const DEVICE_FOLDERS: DeviceFolders = { sys: "/sys", udev: "/run/udev/data" };
/** UEFI Specification 2.10, 13.3. */
const ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

/**
 * @param device `major:minor` of the root file system
 * @returns the partition's device, such as `/dev/vda1`; undefined without one. Of several disks, the first with one
 */
export function findColocatedEsp(device: string, folders: DeviceFolders = DEVICE_FOLDERS): string | undefined {
  for (const disk of disksBelow(join(folders.sys, "dev/block", device), folders)) {
    for (const name of namesIn(disk)) {
      const number = textOf(join(disk, name, "partition")) && textOf(join(disk, name, "dev"));
      if (number !== undefined && partitionType(number, folders) === ESP_TYPE) return `/dev/${name}`;
    }
  }
  return undefined;
}

/**
 * The disk, or disks, that a file system is on.
 * @param device `major:minor` of the file system
 * @returns devices, such as `/dev/vda`; none for a file system without one of its own
 */
export function disksOfDevice(device: string, folders: DeviceFolders = DEVICE_FOLDERS): string[] {
  return disksBelow(join(folders.sys, "dev/block", device), folders).map((path) => `/dev/${basename(path)}`);
}

/** A partition is a folder of its disk; what is made of other devices (encrypted, RAID) names them. */
function disksBelow(link: string, folders: DeviceFolders): string[] {
  const path = realPathOf(link);
  if (path === undefined) return [];
  const slaves = namesIn(join(path, "slaves"));
  if (slaves.length > 0) return slaves.flatMap((name) => disksBelow(join(path, "slaves", name), folders));
  return [textOf(join(path, "partition")) === undefined ? path : dirname(path)];
}

function partitionType(number: string, { udev }: DeviceFolders): string | undefined {
  const data = textOf(join(udev, basename(`b${number}`))) ?? "";
  return /^E:ID_PART_ENTRY_TYPE=(.+)$/m.exec(data)?.[1]?.toLowerCase();
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
