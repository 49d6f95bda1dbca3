/** Extended attributes as they are read (Linux Documentation/filesystems/ext4/attributes.rst). */
import { type ByteString, byteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { XATTR_BLOCK_HEADER_BYTES, XATTR_ENTRY_BYTES, XATTR_MAGIC, XATTR_PREFIXES } from "./xattrs.ts";

const INODE_HEADER_BYTES = 4;

/** Attributes by their whole names. Access control lists are in the form of the disk. */
export type ReadXattrs = ReadonlyMap<ByteString, Uint8Array>;

/** @param area what an inode has after its fields; empty, or without attributes, it has none */
export function readInodeXattrs(area: Uint8Array): ReadXattrs {
  if (area.length < INODE_HEADER_BYTES || magicOf(area) !== XATTR_MAGIC) return new Map();
  const entries = area.subarray(INODE_HEADER_BYTES);
  return readEntries(entries, 0);
}

/** @throws SealrootError `corrupt` for a block that does not hold attributes */
export function readXattrBlock(bytes: Uint8Array): ReadXattrs {
  if (magicOf(bytes) !== XATTR_MAGIC) throw malformed(0);
  return readEntries(bytes, XATTR_BLOCK_HEADER_BYTES);
}

function magicOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
}

/** @param area from which the offsets of values count */
function readEntries(area: Uint8Array, start: number): ReadXattrs {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const found = new Map<ByteString, Uint8Array>();
  for (let offset = start; offset + 4 <= area.length && view.getUint32(offset, true) !== 0; ) {
    if (offset + XATTR_ENTRY_BYTES > area.length) throw malformed(offset);
    const nameBytes = view.getUint8(offset);
    const prefix = XATTR_PREFIXES.find(([, index]) => index === view.getUint8(offset + 1))?.[0];
    const [valueOffset, valueInode] = [view.getUint16(offset + 2, true), view.getUint32(offset + 4, true)];
    const sizeBytes = view.getUint32(offset + 8, true);
    const nameEnd = offset + XATTR_ENTRY_BYTES + nameBytes;
    const isInside = nameEnd <= area.length && (sizeBytes === 0 || valueOffset + sizeBytes <= area.length);
    // A value in an inode of its own needs the feature ea_inode.
    if (prefix === undefined || valueInode !== 0 || !isInside) throw malformed(offset);
    const name = `${prefix}${byteString(area, offset + XATTR_ENTRY_BYTES, nameEnd)}` as ByteString;
    found.set(name, sizeBytes === 0 ? new Uint8Array() : area.slice(valueOffset, valueOffset + sizeBytes));
    offset = Math.ceil(nameEnd / 4) * 4;
  }
  return found;
}

function malformed(offset: number): Error {
  return corrupt("Cannot read the root file system: a file's extended attributes are malformed", { offset });
}
