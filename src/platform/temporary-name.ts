/** The names of temporary files and directories. */
import { randomBytes } from "node:crypto";

/** What a collector of leftovers removes, so nothing else may have such a name. */
const PATTERN = /^\.sealroot-[a-z]+-[0-9a-f]{16}$/;

/** A new name. @param purpose lower-case letters: what it is for, for a person */
export function temporaryName(purpose: string): string {
  return `.sealroot-${purpose}-${randomBytes(8).toString("hex")}`;
}

export function isTemporaryName(name: string): boolean {
  return PATTERN.test(name);
}
