/** A program on the ESP, and whether it is whole. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hasErrno, reasonOf, SealrootError } from "../errors/index.ts";
import { isSigned, verifyBootProgram } from "../keys/index.ts";
import { parsePe } from "../pe/index.ts";

/** A program that was changed after it was signed is damaged; by whom it is signed is for the firmware to judge. */
export async function readProgram(
  bootDirectory: string,
  path: string,
): Promise<{ readonly bytes?: Uint8Array; readonly detail?: string }> {
  try {
    const bytes = readFileSync(join(bootDirectory, path));
    parsePe(bytes, path);
    if (isSigned(bytes)) await verifyBootProgram(bytes, path, []);
    return { bytes };
  } catch (error) {
    if (error instanceof SealrootError && error.code !== "corrupt") return {};
    if (!(error instanceof SealrootError) && !hasErrno(error, "EIO", "ENOENT", "EISDIR")) throw error;
    return { detail: reasonOf(error) };
  }
}
