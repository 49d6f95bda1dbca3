/** The disk file an installation makes: worked on in a hidden directory beside it, named at the end. */
import { accessSync, closeSync, constants, fsyncSync, ftruncateSync, openSync, renameSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { inMib } from "../disk/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { renameNoReplace, syncDirectory, type TemporaryDirectory, temporaryDirectory } from "../platform/index.ts";
import type { DiskTarget, DiskUnderConstruction, TargetOptions } from "./target.ts";

/**
 * Checks a plain file, existing or not.
 *
 * @param existing what stands there
 * @throws SealrootError `exists` for a file without `wipe`; `usage` without any size; `unsupported` for something else
 *   than a plain file
 */
export function checkFile(path: string, existing: Stats | undefined, options: TargetOptions): DiskTarget {
  const { sizeBytes, wipe } = options;
  if (existing !== undefined) checkExisting(options.target, existing, wipe);
  const size = sizeBytes ?? existing?.size;
  if (size === undefined || size === 0) {
    throw new SealrootError("usage", `Cannot install to ${options.target}: the size of the new disk is not given`, {
      path,
      hint: "give --size, such as --size 4G",
    });
  }
  checkDirectory(dirname(path), options.target);
  return { kind: "file", path, sizeBytes: size, replaces: existing !== undefined };
}

/** Looked at early: the disk is begun only after the image was pulled. */
function checkDirectory(directory: string, target: string): void {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw asSealrootError(error, `Cannot install to ${target}`, { path: directory });
  }
}

function checkExisting(path: string, existing: Stats, wipe: boolean): void {
  if (!existing.isFile()) {
    throw new SealrootError("unsupported", `Cannot install to ${path}: it is not a plain file`, { path });
  }
  if (!wipe) {
    throw new SealrootError("exists", `Cannot install to ${path}: the file exists`, {
      path,
      hint: "give --wipe to replace it",
    });
  }
}

/** File name of the disk in its working directory. */
const WORK_NAME = "disk";

/** Makes the sparse disk file in a hidden directory beside the target. */
export function beginFile(target: DiskTarget): DiskUnderConstruction {
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
    publish: async () => publish(path, target),
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
