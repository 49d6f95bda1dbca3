/**
 * Directories: a list of names in one block, or an index of hashes over many (Linux
 * Documentation/filesystems/ext4/directory.rst; offsets are from there).
 */
import { alignUp, type ByteString, bytesOf } from "../bytes/index.ts";
import { BLOCK_BYTES } from "./block.ts";
import { crc32c } from "./crc32c.ts";
import { directoryHash, type HashSeed, type NameHash } from "./directory-hash.ts";

const ENTRY_BYTES = 8;
/** The entry at a block's end that holds its checksum, and its type. */
const TAIL_BYTES = 12;
const TAIL_TYPE = 0xde;
const LIST_BYTES = BLOCK_BYTES - TAIL_BYTES;
/** `.` and `..` */
const OWN_ENTRIES_BYTES = 24;
/** ft of a directory. */
const DIRECTORY_TYPE = 2;

/** The index's blocks hold pairs of hash and block, and end with a checksum. */
const INDEX_RECORD_BYTES = 8;
const INDEX_TAIL_BYTES = 8;
const ROOT_RECORDS_OFFSET = 32;
const NODE_RECORDS_OFFSET = 8;
const ROOT_RECORDS = (BLOCK_BYTES - ROOT_RECORDS_OFFSET - INDEX_TAIL_BYTES) / INDEX_RECORD_BYTES;
const NODE_RECORDS = (BLOCK_BYTES - NODE_RECORDS_OFFSET - INDEX_TAIL_BYTES) / INDEX_RECORD_BYTES;
/** hash_version: half MD4; whether of signed bytes is said in the superblock. */
const HALF_MD4 = 1;

/** A name in a directory. */
export interface DirectoryChild {
  readonly name: ByteString;
  /** Number of its inode, once it has one. */
  readonly inode: number;
  /** As in the entry: 1 file, 2 directory, 3 character device, 4 block device, 5 fifo, 6 socket, 7 link. */
  readonly type: number;
}

/** How the names of a directory are laid out; the inodes may still be unknown. */
export interface DirectoryLayout<Child extends { readonly name: ByteString }> {
  /** One leaf without a hash: a list. */
  readonly leaves: readonly Leaf<Child>[];
  readonly blockCount: number;
}

interface Leaf<Child> {
  /** The smallest hash in it; odd if the leaf before has names with the same hash. */
  readonly hash: number;
  readonly children: readonly Child[];
}

/**
 * Lays out a directory: in one block while the names fit, in their order; else by their hashes, as full as can be.
 *
 * @returns undefined if there are more names than an index of two levels holds, about 20 million
 */
export function layOutDirectory<Child extends { readonly name: ByteString }>(
  children: readonly Child[],
  seed: HashSeed,
): DirectoryLayout<Child> | undefined {
  const listBytes = children.reduce((sum, { name }) => sum + entryBytes(name), OWN_ENTRIES_BYTES);
  if (listBytes <= LIST_BYTES) return { leaves: [{ hash: 0, children }], blockCount: 1 };
  const leaves = leavesByHash(children, seed);
  const nodes = leaves.length <= ROOT_RECORDS ? 0 : Math.ceil(leaves.length / NODE_RECORDS);
  return nodes > ROOT_RECORDS ? undefined : { leaves, blockCount: 1 + nodes + leaves.length };
}

function leavesByHash<Child extends { readonly name: ByteString }>(
  children: readonly Child[],
  seed: HashSeed,
): Leaf<Child>[] {
  const hashed = children.map((child) => ({ child, hash: directoryHash(child.name, seed) }));
  hashed.sort((a, b) => compareHashes(a.hash, b.hash) || (a.child.name < b.child.name ? -1 : 1));
  const leaves: Leaf<Child>[] = [];
  let members: Child[] = [];
  let first = 0;
  let usedBytes = 0;
  let last = -1;
  for (const { child, hash } of hashed) {
    const bytes = entryBytes(child.name);
    if (usedBytes + bytes > LIST_BYTES) {
      leaves.push({ hash: first, children: members });
      members = [];
      usedBytes = 0;
      first = hash.major === last ? hash.major + 1 : hash.major;
    }
    members.push(child);
    usedBytes += bytes;
    last = hash.major;
  }
  leaves.push({ hash: first, children: members });
  return leaves;
}

function compareHashes(a: NameHash, b: NameHash): number {
  return a.major - b.major || a.minor - b.minor;
}

function entryBytes(name: ByteString): number {
  return alignUp(ENTRY_BYTES + name.length, 4);
}

/** Whether the directory has an index, which its inode says too. */
export function isIndexed(layout: DirectoryLayout<{ readonly name: ByteString }>): boolean {
  return layout.blockCount > 1;
}

/**
 * The directory's blocks, one after the other.
 *
 * @param own its inode and that of its parent
 * @param inodeSeed see {@link inodeChecksumSeed}
 */
export function directoryBlocks(
  layout: DirectoryLayout<DirectoryChild>,
  own: { readonly inode: number; readonly parent: number },
  inodeSeed: number,
): Uint8Array {
  const bytes = new Uint8Array(layout.blockCount * BLOCK_BYTES);
  const block = (number: number) => bytes.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
  const ownEntries = [
    { name: "." as ByteString, inode: own.inode, type: DIRECTORY_TYPE },
    { name: ".." as ByteString, inode: own.parent, type: DIRECTORY_TYPE },
  ];
  if (!isIndexed(layout)) {
    writeList(block(0), [...ownEntries, ...(layout.leaves[0]?.children ?? [])], inodeSeed);
    return bytes;
  }
  const firstLeaf = layout.blockCount - layout.leaves.length;
  const records = layout.leaves.map(({ hash }, index) => ({ hash, block: firstLeaf + index }));
  for (const [index, { children }] of layout.leaves.entries()) writeList(block(firstLeaf + index), children, inodeSeed);
  writeEntries(block(0), ownEntries, BLOCK_BYTES);
  writeIndexHead(block(0), firstLeaf > 1 ? 1 : 0);
  if (firstLeaf === 1) writeRecords(block(0), ROOT_RECORDS_OFFSET, ROOT_RECORDS, records, inodeSeed);
  else {
    const nodes: IndexRecord[] = [];
    for (let start = 0; start < records.length; start += NODE_RECORDS) {
      const part = records.slice(start, start + NODE_RECORDS);
      const number = 1 + nodes.length;
      writeEntries(block(number), [{ name: "" as ByteString, inode: 0, type: 0 }], BLOCK_BYTES);
      writeRecords(block(number), NODE_RECORDS_OFFSET, NODE_RECORDS, part, inodeSeed);
      nodes.push({ hash: part[0]?.hash ?? 0, block: number });
    }
    writeRecords(block(0), ROOT_RECORDS_OFFSET, ROOT_RECORDS, nodes, inodeSeed);
  }
  return bytes;
}

/** A block of entries with its checksum. */
function writeList(block: Uint8Array, children: readonly DirectoryChild[], inodeSeed: number): void {
  writeEntries(block, children, LIST_BYTES);
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  view.setUint16(LIST_BYTES + 4, TAIL_BYTES, true);
  view.setUint8(LIST_BYTES + 7, TAIL_TYPE);
  view.setUint32(LIST_BYTES + 8, crc32c(inodeSeed, block.subarray(0, LIST_BYTES)), true);
}

/** Entries from the block's beginning; the last one reaches to `end`. */
function writeEntries(block: Uint8Array, children: readonly DirectoryChild[], end: number): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  let offset = 0;
  for (const [index, { name, inode, type }] of children.entries()) {
    const isLast = index === children.length - 1;
    view.setUint32(offset, inode, true);
    view.setUint16(offset + 4, isLast ? end - offset : entryBytes(name), true);
    view.setUint8(offset + 6, name.length);
    view.setUint8(offset + 7, type);
    block.set(bytesOf(name), offset + ENTRY_BYTES);
    offset += entryBytes(name);
  }
}

interface IndexRecord {
  readonly hash: number;
  readonly block: number;
}

/** dx_root_info, in the room left by the entry `..`. */
function writeIndexHead(block: Uint8Array, levels: number): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  view.setUint8(28, HALF_MD4);
  view.setUint8(29, 8); // info_length
  view.setUint8(30, levels);
}

/** The first record's hash is replaced by the limit and the number of records. */
function writeRecords(
  block: Uint8Array,
  offset: number,
  limit: number,
  records: readonly IndexRecord[],
  inodeSeed: number,
): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  for (const [index, record] of records.entries()) {
    view.setUint32(offset + index * INDEX_RECORD_BYTES, record.hash, true);
    view.setUint32(offset + index * INDEX_RECORD_BYTES + 4, record.block, true);
  }
  view.setUint16(offset, limit, true);
  view.setUint16(offset + 2, records.length, true);
  const used = block.subarray(0, offset + records.length * INDEX_RECORD_BYTES);
  // The tail, dt_reserved and dt_checksum, counts as zeros in the sum.
  const checksum = crc32c(crc32c(inodeSeed, used), new Uint8Array(INDEX_TAIL_BYTES));
  view.setUint32(BLOCK_BYTES - 4, checksum, true);
}
