/** Names of xattrs as EROFS stores them: a prefix by number and the rest (spec/erofs.md 3.1, 3.3). */
import { type ByteString, bytesOf, xxh32 } from "../bytes/index.ts";
import type { Epoch } from "./format.ts";

/** Index and prefix, in the order they are tried. Epoch 1 writers do not use 5. */
const PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [1, "user."],
  [2, "system.posix_acl_access"],
  [3, "system.posix_acl_default"],
  [4, "trusted."],
  [5, "lustre."],
  [6, "security."],
];
const LUSTRE_INDEX = 5;

export const ACL_ACCESS_INDEX = 2;
export const ACL_DEFAULT_INDEX = 3;

/** EROFS_XATTR_FILTER_SEED of linux fs/erofs/erofs_fs.h. */
const FILTER_SEED = 0x25bbe08f;

/** A split name. */
export interface XattrName {
  readonly full: ByteString;
  readonly index: number;
  readonly suffix: ByteString;
  /** The bit of the inode's name filter that this name clears, as a mask. */
  readonly filterMask: number;
}

/** Splits a full name as the epoch's writers do. */
export function splitXattrName(full: ByteString, epoch: Epoch): XattrName {
  for (const [index, prefix] of PREFIXES) {
    if (!full.startsWith(prefix) || (index === LUSTRE_INDEX && epoch === 1)) continue;
    const suffix = full.slice(prefix.length) as ByteString;
    return { full, index, suffix, filterMask: filterMask(index, suffix) };
  }
  return { full, index: 0, suffix: full, filterMask: filterMask(0, full) };
}

/** The prefix of an index, or undefined for an index above 6. */
export function prefixOfIndex(index: number): string | undefined {
  return index === 0 ? "" : PREFIXES.find(([each]) => each === index)?.[1];
}

/** The bit of a name filter that this name clears (spec 3.3). */
export function filterMask(index: number, suffix: ByteString): number {
  return 1 << (xxh32(bytesOf(suffix), FILTER_SEED + index) & 31);
}
