/** Files that a verb writes beside its result: checked before the work. */
import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { asSealrootError, SealrootError } from "../../errors/index.ts";

/**
 * @param path undefined when none was asked for
 * @param what for messages: `digest file`
 * @param isNew whether an existing file is refused instead of overwritten
 * @throws SealrootError `exists`, `not-found`, `no-access`, `unsupported` for a directory
 */
export function checkOutputFile(path: string | undefined, what: string, isNew = false): void {
  if (path === undefined) return;
  const action = `Cannot write ${what}`;
  try {
    if (isNew && lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      throw new SealrootError("exists", `${action} ${path}: it exists`, { path });
    }
    const existing = statSync(path, { throwIfNoEntry: false });
    if (existing?.isDirectory() === true) {
      throw new SealrootError("unsupported", `${action} ${path}: it is a directory`, { path });
    }
    accessSync(existing === undefined ? dirname(resolve(path)) : path, constants.W_OK);
  } catch (error) {
    throw asSealrootError(error, action, { path });
  }
}

/**
 * Writes a text that comes in pieces.
 * @param what for messages: `page`
 * @throws SealrootError when the place refuses it
 */
export async function writeText(path: string, what: string, pieces: Iterable<string>): Promise<void> {
  const { inspectFilePlace, replaceFile } = await import("../../platform/index.ts");
  const action = `Cannot write ${what} ${path}`;
  replaceFile(inspectFilePlace(path, action), [...pieces].join(""), action);
}

/** As {@link writeText}. */
export async function writePage(path: string, pieces: Iterable<string>): Promise<void> {
  await writeText(path, "page", pieces);
}
