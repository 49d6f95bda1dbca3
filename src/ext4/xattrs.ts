/** Extended attributes in inodes and in blocks of their own (Linux Documentation/filesystems/ext4/attributes.rst). */
import { alignUp, type ByteString, bytesOf } from "../bytes/index.ts";
import { aclForDisk } from "./acl.ts";
import { BLOCK_BYTES } from "./block.ts";
import { crc32c, crc32cOfNumber } from "./crc32c.ts";
import { INODE_BYTES, INODE_XATTRS_OFFSET } from "./inode.ts";

/** h_magic */
export const XATTR_MAGIC = 0xea020000;
/** The header of a block of attributes. */
export const XATTR_BLOCK_HEADER_BYTES = 32;
/** The fixed part of an entry, before its name. */
export const XATTR_ENTRY_BYTES = 16;
/** h_magic of an inode's own attributes. */
const INODE_HEADER_BYTES = 4;
/** Room in an inode after its fields and the magic number. */
const INODE_ROOM_BYTES = INODE_BYTES - INODE_XATTRS_OFFSET - INODE_HEADER_BYTES;

/** e_name_len has one byte. */
const NAME_LIMIT_BYTES = 255;

const SECURITY_INDEX = 6;
/** e_name_index of each prefix, and of the two whole names. */
export const XATTR_PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ["system.posix_acl_access", 2],
  ["system.posix_acl_default", 3],
  ["user.", 1],
  ["trusted.", 4],
  ["security.", SECURITY_INDEX],
];

/** An attribute as it is stored. */
interface StoredXattr {
  readonly index: number;
  /** Without the prefix. */
  readonly name: ByteString;
  readonly value: Uint8Array;
}

/** Attributes of one inode, divided between it and a block. */
export interface StoredXattrs {
  readonly inInode: readonly StoredXattr[];
  /** Empty when there is no block. */
  readonly inBlock: readonly StoredXattr[];
}

/**
 * Finds a place for each attribute: in the inode while there is room, else in the block.
 *
 * @returns a reason in words when they do not fit, or one of them cannot be stored
 */
export function placeXattrs(xattrs: ReadonlyMap<ByteString, Uint8Array>): StoredXattrs | string {
  const all: StoredXattr[] = [];
  for (const [name, value] of xattrs) {
    const stored = storedXattr(name, value);
    if (typeof stored === "string") return stored;
    all.push(stored);
  }
  all.sort(compareXattrs);
  // Labels are asked for most, and come last: whatever else a file has leaves them their room.
  const label = all.findIndex(({ index, name }) => index === SECURITY_INDEX && name === "selinux");
  if (label > 0) all.unshift(...all.splice(label, 1));
  const inInode: StoredXattr[] = [];
  const inBlock: StoredXattr[] = [];
  for (const xattr of all) (usedBytes([...inInode, xattr]) <= INODE_ROOM_BYTES ? inInode : inBlock).push(xattr);
  inInode.sort(compareXattrs);
  inBlock.sort(compareXattrs);
  if (usedBytes(inBlock) > BLOCK_BYTES - XATTR_BLOCK_HEADER_BYTES)
    return "its extended attributes have more than 4 KiB";
  return { inInode, inBlock };
}

function storedXattr(name: ByteString, value: Uint8Array): StoredXattr | string {
  const found = XATTR_PREFIXES.find(([prefix]) => name.startsWith(prefix));
  if (found === undefined) return `its extended attribute ${name} is of no kind that Linux has`;
  const [prefix, index] = found;
  const rest = name.slice(prefix.length) as ByteString;
  if (prefix.endsWith(".")) {
    const isName = rest.length >= 1 && rest.length <= NAME_LIMIT_BYTES;
    return isName
      ? { index, name: rest, value }
      : `the name of its extended attribute ${name} has ${rest.length} bytes`;
  }
  const acl = rest === "" ? aclForDisk(value) : undefined;
  return acl === undefined ? `its access control list (${name}) is malformed` : { index, name: rest, value: acl };
}

/** As the kernel looks for them in a block: by kind, length of the name, name. */
function compareXattrs(a: StoredXattr, b: StoredXattr): number {
  return a.index - b.index || a.name.length - b.name.length || (a.name < b.name ? -1 : 1);
}

/** Entries, four bytes that end them, values; all in steps of four. */
function usedBytes(xattrs: readonly StoredXattr[]): number {
  const bytes = xattrs.reduce((sum, xattr) => sum + entryBytes(xattr) + alignUp(xattr.value.length, 4), 0);
  return xattrs.length === 0 ? 0 : bytes + 4;
}

function entryBytes(xattr: StoredXattr): number {
  return alignUp(XATTR_ENTRY_BYTES + xattr.name.length, 4);
}

/** Writes the attributes after an inode's fields. @param area from there to the inode's end, zeros */
export function writeInodeXattrs(area: Uint8Array, xattrs: readonly StoredXattr[]): void {
  if (xattrs.length === 0) return;
  new DataView(area.buffer, area.byteOffset).setUint32(0, XATTR_MAGIC, true);
  // Values are found by their distance from the first entry.
  writeEntries(area.subarray(INODE_HEADER_BYTES), 0, xattrs);
}

/** The block of attributes. @param block where it will lie, which its checksum covers */
export function xattrBlock(xattrs: readonly StoredXattr[], block: number, checksumSeed: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  const hashes = writeEntries(bytes, XATTR_BLOCK_HEADER_BYTES, xattrs);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, XATTR_MAGIC, true);
  view.setUint32(4, 1, true); // h_refcount
  view.setUint32(8, 1, true); // h_blocks
  view.setUint32(12, blockHash(hashes), true);
  const place = crc32cOfNumber(crc32cOfNumber(checksumSeed, block % 2 ** 32), Math.floor(block / 2 ** 32));
  view.setUint32(16, crc32c(place, bytes), true);
  return bytes;
}

/** Entries from `start` on, values from the end down. @returns the hash of each */
function writeEntries(area: Uint8Array, start: number, xattrs: readonly StoredXattr[]): number[] {
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const hashes: number[] = [];
  let offset = start;
  let valueOffset = area.length;
  for (const { index, name, value } of xattrs) {
    valueOffset -= alignUp(value.length, 4);
    area.set(value, valueOffset);
    const hash = entryHash(name, area.subarray(valueOffset, valueOffset + alignUp(value.length, 4)));
    view.setUint8(offset, name.length);
    view.setUint8(offset + 1, index);
    view.setUint16(offset + 2, value.length === 0 ? 0 : valueOffset, true);
    view.setUint32(offset + 8, value.length, true);
    view.setUint32(offset + 12, hash, true);
    area.set(bytesOf(name), offset + XATTR_ENTRY_BYTES);
    offset += alignUp(XATTR_ENTRY_BYTES + name.length, 4);
    hashes.push(hash);
  }
  return hashes;
}

/** e_hash: name and value turned through (fs/ext4/xattr.c, ext4_xattr_hash_entry). */
function entryHash(name: ByteString, paddedValue: Uint8Array): number {
  let hash = 0;
  for (const byte of bytesOf(name)) hash = ((hash << 5) | (hash >>> 27)) ^ byte;
  const view = new DataView(paddedValue.buffer, paddedValue.byteOffset, paddedValue.byteLength);
  for (let at = 0; at < paddedValue.length; at += 4) hash = turned16(hash) ^ view.getUint32(at, true);
  return hash >>> 0;
}

/** h_hash: the entries' hashes turned through; zero when one of them is zero. */
function blockHash(hashes: readonly number[]): number {
  if (hashes.includes(0)) return 0;
  return hashes.reduce((hash, entry) => turned16(hash) ^ entry, 0) >>> 0;
}

function turned16(hash: number): number {
  return (hash << 16) | (hash >>> 16);
}
