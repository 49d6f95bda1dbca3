/** renameat2(2): the renames that Node lacks. */
import { AT_FDCWD, callLibc, cString, type FilePath } from "./libc.ts";

// linux/fs.h
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

/** Renames, but never over something. @throws Error with code EEXIST when `target` exists */
export function renameNoReplace(source: FilePath, target: FilePath): void {
  callLibc("renameat2", target, AT_FDCWD, cString(source), AT_FDCWD, cString(target), RENAME_NOREPLACE);
}

/** Exchanges two existing names in one step. */
export function renameExchange(first: FilePath, second: FilePath): void {
  callLibc("renameat2", first, AT_FDCWD, cString(first), AT_FDCWD, cString(second), RENAME_EXCHANGE);
}
