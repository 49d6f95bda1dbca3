/**
 * The file systems of the running host, each held by a descriptor: mounted nowhere, so that nobody else sees it, and an
 * automount on `/boot` or `/efi` that goes away takes nothing with it.
 */
import { closeSync, statSync } from "node:fs";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import {
  cloneMount,
  createMount,
  deviceNumberText,
  type MountEntry,
  makeMountWritable,
  readMountTable,
} from "../platform/index.ts";
import { findColocatedEsp } from "./colocated-esp.ts";
import { loaderVariable } from "./firmware.ts";

/** Can be used until it is closed. */
export interface OpenedDirectory {
  readonly path: string;
  close(): void;
}

/**
 * The root of the disk, writable, while its mount that others see stays read-only.
 * @throws SealrootError `no-access` without the rights
 */
export function openPhysicalRoot(path: string): OpenedDirectory {
  return held("Cannot open the disk for writing", path, () => writableClone(path));
}

export interface OpenEspOptions {
  readonly write: boolean;
  /** `major:minor` of the root file system: a boot loader that says nothing was started from an ESP of its disk. */
  readonly rootDevice?: string | undefined;
}

/**
 * The ESP that was booted from, found by its device.
 * @throws SealrootError `not-found` when the boot loader did not say which it is; `read-only` when it is mounted
 *   read-only; `no-access` without the rights
 */
export function openEsp({ write, rootDevice }: OpenEspOptions): OpenedDirectory {
  const uuid = loaderVariable("LoaderDevicePartUUID");
  const colocated = uuid === undefined && rootDevice !== undefined ? findColocatedEsp(rootDevice) : undefined;
  if (uuid === undefined && colocated === undefined) {
    throw new SealrootError("not-found", "Cannot find the ESP: the boot loader did not say which it was", {
      expected: "the EFI variable LoaderDevicePartUUID",
    });
  }
  const device = colocated ?? `/dev/disk/by-partuuid/${uuid?.toLowerCase()}`;
  const mount = mountedAt(device);
  if (mount === undefined) return held("Cannot open the ESP", device, () => mountOf(device, write));
  if (!write) return readableClone(mount.mountPoint);
  if (mount.superOptions.includes("ro")) throw mountedReadOnly(device, mount.mountPoint);
  return held("Cannot open the ESP", device, () => writableClone(mount.mountPoint));
}

function held(action: string, path: string, open: () => number): OpenedDirectory {
  let fd: number;
  try {
    fd = open();
  } catch (error) {
    const hint = hasErrno(error, "EPERM", "EACCES") ? { hint: "run it as root" } : {};
    throw asSealrootError(error, action, { path, ...hint });
  }
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
}

/** Who only reads needs no rights to a mount that is there; with them it is held, as it may be an automount. */
function readableClone(mountPoint: string): OpenedDirectory {
  try {
    const fd = cloneMount(mountPoint);
    return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
  } catch (error) {
    if (!hasErrno(error, "EPERM", "EACCES")) throw asSealrootError(error, "Cannot open the ESP", { path: mountPoint });
    return { path: mountPoint, close: () => {} };
  }
}

function writableClone(mountPoint: string): number {
  const fd = cloneMount(mountPoint);
  try {
    makeMountWritable(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** As bootc mounts it (spec/host.md 1.4). */
function mountOf(device: string, write: boolean): number {
  const masks = [
    ["fmask", "0177"],
    ["dmask", "0077"],
  ] as const;
  return createMount("vfat", {
    options: [["source", device], ...(write ? masks : ([["ro", true]] as const))],
    readOnly: !write,
  });
}

/** Where the device's whole file system is mounted already: one file system cannot be read-only and read-write at once. */
function mountedAt(device: string): MountEntry | undefined {
  const number = deviceNumber(device);
  return readMountTable().findLast(({ device: mounted, root }) => mounted === number && root === "/");
}

function deviceNumber(device: string): string {
  try {
    return deviceNumberText(statSync(device).rdev);
  } catch (error) {
    throw asSealrootError(error, `Cannot find the ESP ${device}`, { path: device });
  }
}

function mountedReadOnly(device: string, mountPoint: string): SealrootError {
  return new SealrootError("read-only", `Cannot open the ESP ${device}: it is mounted read-only at ${mountPoint}`, {
    path: device,
    hint: `unmount it, or: mount -o remount,rw ${mountPoint}`,
  });
}
