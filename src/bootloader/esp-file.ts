/** Writing a file of the ESP of a running system. */
import { fsyncSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { EspFile } from "../disk/index.ts";
import { asSealrootError } from "../errors/index.ts";
import { syncDirectory, temporaryFile } from "../platform/index.ts";

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
    const made = mkdirSync(parent, { recursive: true });
    using file = temporaryFile({ parent, purpose: "boot" });
    writeFileSync(file.fd, bytes);
    fsyncSync(file.fd);
    renameSync(file.path, target);
    syncDirectory(parent);
    // The name of a new directory is durable when its parent is.
    if (made !== undefined)
      for (let at = parent; at.length >= made.length; at = dirname(at)) syncDirectory(dirname(at));
  } catch (error) {
    throw asSealrootError(error, `Cannot write ${path} on the ESP`, { path: target });
  }
}
