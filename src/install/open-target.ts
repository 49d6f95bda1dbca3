/** Where an installation goes: a plain file or a whole block device, checked before any work is done. */
import { statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { inMib } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import { largeFileDirectory } from "../platform/index.ts";
import type { DiskTarget, DiskUnderConstruction, TargetOptions } from "./target.ts";
import { beginDevice, checkDevice } from "./target-device.ts";
import { beginFile, checkFile } from "./target-file.ts";

/**
 * @throws SealrootError `exists` when something is there and `wipe` is not given; `usage` without a size; else as
 *   checkFile and checkDevice
 */
export async function checkTarget(options: TargetOptions): Promise<DiskTarget> {
  const path = resolve(options.target);
  return isBlockDevice(path) ? checkDevice(path, options) : checkFile(options);
}

/**
 * Begins to write. A file being replaced stays until the new one is complete, so this can come first; a device loses
 * its content.
 */
export async function beginDisk(target: DiskTarget): Promise<DiskUnderConstruction> {
  return target.kind === "device" ? beginDevice(target) : beginFile(target);
}

/** The directory in which the repository is staged if the user names none. */
export function defaultStagingParent(target: DiskTarget): string {
  if (target.kind === "file") return dirname(target.path);
  return largeFileDirectory();
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

export function isBlockDevice(path: string): boolean {
  try {
    return statSync(path).isBlockDevice();
  } catch {
    // The check of a file says what is wrong with it.
    return false;
  }
}
