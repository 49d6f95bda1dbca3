/** The copy of a disk file that is changed, and takes its place when it is complete. */
import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import type { WorkDisk } from "../../disk/index.ts";
import { asSealrootError } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import {
  copySparse,
  inspectFilePlace,
  syncDirectory,
  takeOverAccess,
  temporaryDirectory,
} from "../../platform/index.ts";
import type { HeldDisk } from "./hold-disk.ts";

const WORK_NAME = "disk";

/** Disposing of it removes what was not published. */
export interface WorkCopy extends Disposable {
  readonly disk: WorkDisk;
  /** The copy's own path. */
  readonly path: string;
  /** Gives the copy the name of the original, durably: at every moment the name leads to the one or to the other. */
  publish(): void;
}

/**
 * Copies a disk into a hidden directory beside it, with its mode, owner, access list and label.
 *
 * @throws SealrootError `no-space`, `no-access`; as `inspectFilePlace`
 */
export async function copyDisk(held: HeldDisk, reporter: StepReporter): Promise<WorkCopy> {
  const action = `Cannot edit the disk ${held.path}`;
  const place = inspectFilePlace(held.path, action);
  if (place.existing !== undefined && place.existing.nlink > 1) {
    reporter.warn(`${held.path} has ${place.existing.nlink} names (hard links): only this one gets the changed disk`);
  }
  try {
    const directory = temporaryDirectory({ parent: dirname(held.path), purpose: "edit" });
    const path = join(directory.path, WORK_NAME);
    try {
      // Plain files belong to their maker; the mode comes from the original.
      const fd = openSync(path, "wx", 0o600);
      try {
        await copySparse(held.fd, fd, held.sizeBytes, (done) => reporter.progress(done, held.sizeBytes, "bytes"));
        takeOverAccess(fd, path, place, action);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      directory.remove();
      throw error;
    }
    return {
      disk: { directory: directory.path, path: WORK_NAME },
      path,
      publish: () => publish(path, held.path),
      [Symbol.dispose]: () => directory.remove(),
    };
  } catch (error) {
    throw asSealrootError(error, action, { path: held.path });
  }
}

function publish(path: string, target: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
    renameSync(path, target);
  } catch (error) {
    throw asSealrootError(error, `Cannot name the changed disk ${target}`, { path: target });
  } finally {
    closeSync(file);
  }
  syncDirectory(dirname(target));
}
