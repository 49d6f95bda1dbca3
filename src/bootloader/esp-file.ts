/** Files of the ESP of a running system, written and removed so that a power cut harms nothing. */
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EspFile } from "../disk/index.ts";
import { asSealrootError } from "../errors/index.ts";
import { makeDirectoryInOrder, removeInOrder, replaceInOrder } from "../platform/index.ts";

/**
 * Writes a file under a hidden name and renames it; it is durable on return. A file of that name is replaced in one step.
 * FAT knows neither owners nor modes, so none are set.
 *
 * @param bootDirectory the ESP
 * @throws SealrootError `no-space` …
 */
export function writeEspFile(bootDirectory: string, { path, bytes }: EspFile): void {
  const target = join(bootDirectory, path);
  const parent = dirname(target);
  try {
    for (const folder of missingFolders(parent)) makeDirectoryInOrder(folder, () => {});
    replaceInOrder(target, bytes, "boot");
  } catch (error) {
    throw asSealrootError(error, `Cannot write ${path} on the ESP`, { path: target });
  }
}

/**
 * Removes a file, or a directory with everything in it. Durable on return: only then its space is free, so that nothing
 * written later is lost with it.
 *
 * @param bootDirectory the ESP
 * @throws SealrootError `not-found` …
 */
export function removeFromEsp(bootDirectory: string, path: string): void {
  try {
    removeAll(join(bootDirectory, path));
  } catch (error) {
    throw asSealrootError(error, `Cannot remove ${path} from the ESP`, { path: join(bootDirectory, path) });
  }
}

function removeAll(path: string): void {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) removeAll(join(path, name));
  removeInOrder(path);
}

/** Down to the path itself. */
function missingFolders(path: string): string[] {
  return existsSync(path) ? [] : [...missingFolders(dirname(path)), path];
}
