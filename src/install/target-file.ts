/** The disk file an installation makes: built in a hidden directory beside it, named at the end. */
import { closeSync, fsyncSync, ftruncateSync, openSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { inMib } from "../disk/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import {
  inspectFilePlace,
  type Place,
  renameNoReplace,
  syncDirectory,
  type TemporaryDirectory,
  takeOverAccess,
  temporaryDirectory,
} from "../platform/index.ts";
import { useOfFile } from "./file-in-use.ts";
import type { DiskUnderConstruction, FileTarget, TargetOptions } from "./target.ts";

/**
 * Checks a plain file, existing or not.
 *
 * @throws SealrootError `exists` for a file without `wipe`; `conflict` for one that is in use; `usage` without any size;
 *   as {@link inspectFilePlace}
 */
export function checkFile(options: TargetOptions): FileTarget {
  const { target, sizeBytes, wipe } = options;
  const place = inspectFilePlace(target, actionOn(target));
  const { path, existing } = place;
  if (existing !== undefined) checkReplaced(target, place, wipe);
  const size = sizeBytes ?? existing?.size;
  if (size === undefined || size === 0) {
    throw new SealrootError("usage", `${actionOn(target)}: the size of the new disk is not given`, {
      path,
      hint: "give --size, such as --size 4G",
    });
  }
  return { kind: "file", path, sizeBytes: size, place, warnings: warningsAbout(place) };
}

function checkReplaced(target: string, { path, existing }: Place, wipe: boolean): void {
  if (!wipe) {
    throw new SealrootError("exists", `${actionOn(target)}: the file exists`, {
      path,
      hint: "give --wipe to replace it",
    });
  }
  const use = existing && useOfFile(path, existing);
  if (use === undefined) return;
  throw new SealrootError("conflict", `${actionOn(target)}: it is ${use}`, {
    path,
    hint: "stop what uses it; it would continue with the old disk",
  });
}

function warningsAbout({ path, existing }: Place): string[] {
  if (existing === undefined || existing.nlink === 1) return [];
  return [`${path} has ${existing.nlink} names (hard links): only this one gets the new disk`];
}

function actionOn(target: string): string {
  return `Cannot install to ${target}`;
}

/** File name of the disk in its working directory. */
const WORK_NAME = "disk";

/**
 * Makes the sparse disk file in a hidden directory beside the target, with its final mode and owner, so that refusals
 * by the file system or the system come here.
 *
 * @throws SealrootError `no-space` for a size that the file system does not have, `no-access`
 */
export function beginFile(target: FileTarget): DiskUnderConstruction {
  const action = actionOn(target.path);
  const directory = beside(target, action);
  const path = join(directory.path, WORK_NAME);
  try {
    makeDisk(path, target, action);
  } catch (error) {
    directory.remove();
    throw error;
  }
  return {
    disk: { directory: directory.path, path: WORK_NAME },
    publish: async () => publish(path, target),
    [Symbol.dispose]: () => directory.remove(),
  };
}

function beside(target: FileTarget, action: string): TemporaryDirectory {
  try {
    return temporaryDirectory({ parent: dirname(target.path), purpose: "install" });
  } catch (error) {
    throw asSealrootError(error, action, { path: target.path });
  }
}

function makeDisk(path: string, target: FileTarget, action: string): void {
  // Plain files belong to their maker; the process's umask says who may read them.
  const file = openSync(path, "wx", 0o666);
  try {
    takeOverAccess(file, path, target.place, action);
    ftruncateSync(file, target.sizeBytes);
  } catch (error) {
    throw asSealrootError(error, `Cannot make a disk of ${inMib(target.sizeBytes)}`, { path: target.path });
  } finally {
    closeSync(file);
  }
}

function publish(path: string, target: FileTarget): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
  try {
    if (target.place.existing !== undefined) renameSync(path, target.path);
    else renameNoReplace(path, target.path);
  } catch (error) {
    throw asSealrootError(error, `Cannot name the finished disk ${target.path}`, { path: target.path });
  }
  syncDirectory(dirname(target.path));
}
