/** The disk file an installation makes: checked beforehand, worked on in a hidden directory beside it, named at the end. */
import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync, type Stats, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { inMib, type WorkDisk } from "../disk/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../errors/index.ts";
import { renameNoReplace, syncDirectory, type TemporaryDirectory, temporaryDirectory } from "../platform/index.ts";

/** A target that may be written. */
export interface DiskTarget {
  readonly path: string;
  readonly sizeBytes: number;
  /** A file stands there that the user allowed to be replaced. */
  readonly replaces: boolean;
}

/**
 * Checks the target before any work is done.
 *
 * @param sizeBytes size of the new disk; that of the existing file when absent
 * @param wipe whether an existing file may be replaced
 * @throws SealrootError `exists` for a file without `wipe`; `usage` without any size; `unsupported` for a block device
 *   or something else that is no plain file; `not-found` when the directory is missing
 */
export function checkTarget(path: string, sizeBytes: number | undefined, wipe: boolean): DiskTarget {
  const absolute = resolve(path);
  if (statIfThere(dirname(absolute))?.isDirectory() !== true) {
    throw new SealrootError("not-found", `Cannot install to ${path}: its directory does not exist`, { path });
  }
  const existing = statIfThere(absolute);
  if (existing !== undefined) checkExisting(path, existing, wipe);
  const size = sizeBytes ?? existing?.size;
  if (size === undefined || size === 0) {
    throw new SealrootError("usage", `Cannot install to ${path}: the size of the new disk is not given`, {
      path,
      hint: "Give --size, such as --size 4G",
    });
  }
  return { path: absolute, sizeBytes: size, replaces: existing !== undefined };
}

function checkExisting(path: string, existing: Stats, wipe: boolean): void {
  if (existing.isBlockDevice()) {
    throw new SealrootError("unsupported", `Cannot install to ${path}: block devices are not written yet`, {
      path,
      hint: "Install to a plain file and copy it to the device",
    });
  }
  if (!existing.isFile()) {
    throw new SealrootError("unsupported", `Cannot install to ${path}: it is not a plain file`, { path });
  }
  if (!wipe) {
    throw new SealrootError("exists", `Cannot install to ${path}: the file exists`, {
      path,
      hint: "Give --wipe to replace it",
    });
  }
}

/** A disk file in the making, in a directory of its own that vanishes with everything in it, whatever happens. */
export interface DiskUnderConstruction extends Disposable {
  readonly disk: WorkDisk;
  /** Gives the finished disk its name, durably. @throws SealrootError `exists` when a file has appeared there */
  publish(): void;
}

/** File name of the disk in its working directory. */
const WORK_NAME = "disk";

/** Makes the sparse disk file in a hidden directory beside the target. */
export function beginDisk(target: DiskTarget): DiskUnderConstruction {
  const directory = beside(target);
  const path = join(directory.path, WORK_NAME);
  // Plain files belong to whoever makes them; the process's umask says who may read them.
  const file = openSync(path, "wx", 0o666);
  try {
    ftruncateSync(file, target.sizeBytes);
  } catch (error) {
    directory.remove();
    throw asSealrootError(error, `Cannot make a disk of ${inMib(target.sizeBytes)}`, { path: target.path });
  } finally {
    closeSync(file);
  }
  return {
    disk: { directory: directory.path, path: WORK_NAME },
    publish: () => publish(path, target),
    [Symbol.dispose]: () => directory.remove(),
  };
}

function beside(target: DiskTarget): TemporaryDirectory {
  try {
    return temporaryDirectory({ parent: dirname(target.path), prefix: ".sealroot-install-" });
  } catch (error) {
    throw asSealrootError(error, `Cannot install to ${target.path}`, { path: target.path });
  }
}

function publish(path: string, target: DiskTarget): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
  try {
    if (target.replaces) renameSync(path, target.path);
    else renameNoReplace(path, target.path);
  } catch (error) {
    throw asSealrootError(error, `Cannot name the finished disk ${target.path}`, { path: target.path });
  }
  syncDirectory(dirname(target.path));
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
    if (hasErrno(error, "ENOENT") || hasErrno(error, "ENOTDIR")) return undefined;
    throw asSealrootError(error, `Cannot look at ${path}`, { path });
  }
}
