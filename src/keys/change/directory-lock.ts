/** One change of a key directory at a time. */
import { closeSync, openSync } from "node:fs";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { tryLock } from "../../platform/index.ts";

/**
 * Runs a change while nobody else changes the directory.
 * @throws SealrootError `conflict` when somebody does; `not-found`; as `change`
 */
export async function whileLocked<T>(directory: string, change: () => Promise<T>): Promise<T> {
  let descriptor: number;
  try {
    descriptor = openSync(directory, "r");
  } catch (error) {
    throw asSealrootError(error, `Cannot change the keys in ${directory}`, { path: directory });
  }
  try {
    if (!tryLock(descriptor, "exclusive")) {
      throw new SealrootError("conflict", `Cannot change the keys in ${directory}: somebody else does just now`, {
        path: directory,
        hint: "run it again",
      });
    }
    return await change();
  } finally {
    closeSync(descriptor);
  }
}
