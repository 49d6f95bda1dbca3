/** From stored attributes back to those of the tree: the way back of spec/erofs.md 3.4 (3.7). */
import { type ByteString, byteString } from "../bytes/index.ts";
import { NO_XATTRS } from "../tree/index.ts";
import {
  ESCAPED_OVERLAY_PREFIX,
  METACOPY_XATTR,
  OPAQUE_MARKS,
  OVERLAY_PREFIX,
  REDIRECT_XATTR,
  WHITEOUT_MARKS,
  WHITEOUTS_MARKS,
} from "./format.ts";
import { imageError } from "./read-error.ts";
import type { RawXattr } from "./read-xattrs.ts";

/** Whether the writer stored a whiteout as this regular file. */
export function hasWhiteoutMark(xattrs: readonly RawXattr[]): boolean {
  return xattrs.some(({ name }) => name === WHITEOUT_MARKS[0]);
}

/** The values of the attributes that name an object. */
export function overlayValues(xattrs: readonly RawXattr[]): { metacopy?: Uint8Array; redirect?: Uint8Array } {
  const metacopy = xattrs.find(({ name }) => name === METACOPY_XATTR)?.value;
  const redirect = xattrs.find(({ name }) => name === REDIRECT_XATTR)?.value;
  return { ...(metacopy === undefined ? {} : { metacopy }), ...(redirect === undefined ? {} : { redirect }) };
}

/** The marks a writer put on an escaped whiteout. */
export function withoutWhiteoutMarks(xattrs: readonly RawXattr[]): RawXattr[] {
  return withoutOneEach(xattrs, WHITEOUT_MARKS, "");
}

/**
 * The marks a writer put on a directory with escaped whiteouts. One entry per mark is removed, so a user's attribute
 * with the same name stays (composefs-rs keeps both).
 */
export function withoutDirectoryMarks(xattrs: readonly RawXattr[], version: number): RawXattr[] {
  const rest = withoutOneEach(xattrs, WHITEOUTS_MARKS, "");
  return version === 1 ? withoutOneEach(rest, OPAQUE_MARKS, "x") : rest;
}

function withoutOneEach(xattrs: readonly RawXattr[], names: readonly string[], value: string): RawXattr[] {
  const rest = [...xattrs];
  for (const name of names) {
    const index = rest.findIndex((each) => each.name === name && byteString(each.value) === value);
    if (index !== -1) rest.splice(index, 1);
  }
  return rest;
}

/**
 * The user's attributes under their own names: overlayfs's are removed, escaped ones lose the escape.
 * @param offset of the inode, for the error when two end up with the same name
 */
export function userXattrs(xattrs: readonly RawXattr[], offset: number): ReadonlyMap<ByteString, Uint8Array> {
  const found = new Map<ByteString, Uint8Array>();
  for (const { name, value } of xattrs) {
    const ownName = unescapeName(name);
    if (ownName === undefined) continue;
    if (found.has(ownName)) throw imageError(offset, `two attributes named ${ownName}`);
    found.set(ownName, value);
  }
  return found.size === 0 ? NO_XATTRS : found;
}

function unescapeName(name: ByteString): ByteString | undefined {
  if (!name.startsWith(OVERLAY_PREFIX)) return name;
  if (!name.startsWith(ESCAPED_OVERLAY_PREFIX)) return undefined;
  return (OVERLAY_PREFIX + name.slice(ESCAPED_OVERLAY_PREFIX.length)) as ByteString;
}
