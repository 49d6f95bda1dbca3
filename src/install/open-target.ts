/** Where an installation goes: a plain file or a whole block device, checked before any work is done. */
import { existsSync, type Stats, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { inMib } from "../disk/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import type { DiskTarget, DiskUnderConstruction, TargetOptions } from "./target.ts";
import { beginDevice, checkDevice } from "./target-device.ts";
import { beginFile, checkFile } from "./target-file.ts";

/**
 * @throws SealrootError `exists` when something is there and `wipe` is not given; `usage` without a size; `not-found`
 *   when the directory is missing; what a device's check throws
 */
export async function checkTarget(options: TargetOptions): Promise<DiskTarget> {
  const path = resolve(options.target);
  if (statIfThere(dirname(path))?.isDirectory() !== true) {
    throw new SealrootError("not-found", `Cannot install to ${options.target}: its directory does not exist`, { path });
  }
  const existing = statIfThere(path);
  return existing?.isBlockDevice() === true ? checkDevice(path, options) : checkFile(path, existing, options);
}

/** Begins to write. A file that is being replaced stays until the new one is complete; a device does not. */
export async function beginDisk(target: DiskTarget): Promise<DiskUnderConstruction> {
  return target.kind === "device" ? beginDevice(target) : beginFile(target);
}

/** The directory in which the repository is staged when the user names none. */
export function defaultStagingParent(target: DiskTarget): string {
  if (target.kind === "file") return dirname(target.path);
  // For large files that need not survive a reboot (file-hierarchy(7)); /tmp is often in memory.
  return existsSync("/var/tmp") ? "/var/tmp" : tmpdir();
}

/**
 * Checks that the file system of `directory` has room.
 * @throws SealrootError `no-space` naming what is needed and what is free
 */
export function checkFreeSpace(directory: string, neededBytes: number, what: string): void {
  const state = statfsSync(directory);
  const freeBytes = state.bavail * state.bsize;
  if (freeBytes >= neededBytes) return;
  throw new SealrootError(
    "no-space",
    `Cannot write ${what}: ${inMib(neededBytes)} needed, ${inMib(freeBytes)} free in ${directory}`,
    { path: directory, expected: String(neededBytes), actual: String(freeBytes) },
  );
}

function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw asSealrootError(error, `Cannot look at ${path}`, { path });
  }
}
