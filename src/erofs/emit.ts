/** The image's bytes from a finished layout (spec/erofs.md 1 to 3). */
import { modeOf } from "../tree/index.ts";
import { writeRecords } from "./directory-data.ts";
import {
  BLOCK_BYTES,
  BLOCK_SIZE_BITS,
  CHUNK_INDEX_BYTES,
  type Epoch,
  FEATURE_COMPAT_MTIME,
  FEATURE_COMPAT_XATTR_FILTER,
  HEADER_FLAG_HAS_ACL,
  HEADER_MAGIC,
  HEADER_VERSION,
  LAYOUT_CHUNKED,
  NO_BLOCK,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
  XATTR_AREA_HEADER_BYTES,
} from "./format.ts";
import type { Inode } from "./inode.ts";
import { type BuildTime, chunkFormat } from "./layout.ts";
import type { XattrPair } from "./xattr-table.ts";

const CHUNK_FORMAT_BITS = 16;

/** What the image says about itself besides its inodes. */
export interface ImageFacts {
  readonly epoch: Epoch;
  /** The header's composefs_version. */
  readonly version: number;
  readonly hasAcl: boolean;
  readonly buildTime: BuildTime;
  readonly inodesEnd: number;
  readonly rootNid: number;
  readonly inodeCount: number;
}

/** Writes header and superblock (spec 1.1, 1.2); all other bytes of them stay zero. */
export function writeSuperblock(out: Buffer, facts: ImageFacts): void {
  out.writeUInt32LE(HEADER_MAGIC, 0);
  out.writeUInt32LE(HEADER_VERSION, 4);
  out.writeUInt32LE(facts.hasAcl && facts.epoch === 1 ? HEADER_FLAG_HAS_ACL : 0, 8);
  out.writeUInt32LE(facts.version, 12);
  const superblock = out.subarray(SUPERBLOCK_OFFSET);
  superblock.writeUInt32LE(SUPERBLOCK_MAGIC, 0);
  superblock.writeUInt32LE(FEATURE_COMPAT_MTIME | FEATURE_COMPAT_XATTR_FILTER, 8);
  superblock.writeUInt8(BLOCK_SIZE_BITS, 12);
  superblock.writeUInt16LE(facts.rootNid, 14);
  superblock.writeUInt32LE(facts.inodeCount, 16);
  superblock.writeUInt32LE(out.length / BLOCK_BYTES, 36);
  if (facts.epoch === 2) return;
  superblock.writeBigInt64LE(facts.buildTime.seconds, 24);
  superblock.writeUInt32LE(facts.buildTime.nanoseconds, 32);
  superblock.writeUInt32LE(Math.floor(facts.inodesEnd / BLOCK_BYTES), 44);
}

/** Writes one inode: header, xattr area, tail, and its data blocks. */
export function writeInode(out: Buffer, inode: Inode, xattrs: readonly XattrPair[], facts: ImageFacts): void {
  writeHeader(out, inode, facts.epoch);
  const areaOffset = inode.position + inode.headerBytes;
  if (xattrs.length > 0) writeXattrArea(out, areaOffset, inode, xattrs, facts);
  writeContent(out, inode, areaOffset + inode.xattrAreaBytes, inode.firstBlock * BLOCK_BYTES);
}

function writeHeader(out: Buffer, inode: Inode, epoch: Epoch): void {
  const at = inode.position;
  const { uid, gid, mtimeSeconds, mtimeNanoseconds } = inode.node.metadata;
  const icount = inode.xattrAreaBytes === 0 ? 0 : (inode.xattrAreaBytes - XATTR_AREA_HEADER_BYTES) / 4 + 1;
  out.writeUInt16LE(Number(inode.isExtended) | (inode.layout << 1), at);
  out.writeUInt16LE(icount, at + 2);
  out.writeUInt16LE(inode.isEscapedWhiteout ? 0o100000 | inode.node.metadata.mode : modeOf(inode.node), at + 4);
  out.writeUInt32LE(unionField(inode, epoch), at + 16);
  out.writeUInt32LE(epoch === 1 ? inode.sequence : inode.nid, at + 20);
  if (!inode.isExtended) {
    out.writeUInt16LE(inode.linkCount, at + 6);
    out.writeUInt32LE(inode.sizeBytes, at + 8);
    out.writeUInt16LE(uid, at + 24);
    out.writeUInt16LE(gid, at + 26);
    return;
  }
  out.writeBigUInt64LE(BigInt(inode.sizeBytes), at + 8);
  out.writeUInt32LE(uid, at + 24);
  out.writeUInt32LE(gid, at + 28);
  out.writeBigInt64LE(mtimeSeconds, at + 32);
  out.writeUInt32LE(epoch === 1 ? mtimeNanoseconds : 0, at + 40);
  out.writeUInt32LE(inode.linkCount, at + 44);
}

/** i_u: block number, chunk format or device number (spec 2.3, 2.8). */
function unionField(inode: Inode, epoch: Epoch): number {
  if (inode.layout === LAYOUT_CHUNKED) {
    const movedTo = inode.blockCount > 0 ? inode.firstBlock - (inode.firstBlock % 2 ** CHUNK_FORMAT_BITS) : 0;
    return movedTo + chunkFormat(inode.sizeBytes, epoch);
  }
  if (inode.blockCount > 0) return inode.firstBlock;
  return !inode.isEscapedWhiteout && "rdev" in inode.node ? inode.node.rdev : 0;
}

function writeXattrArea(
  out: Buffer,
  offset: number,
  inode: Inode,
  xattrs: readonly XattrPair[],
  facts: ImageFacts,
): void {
  let filter = 0xffffffff;
  let at = offset + XATTR_AREA_HEADER_BYTES;
  const tableOffset = facts.epoch === 1 ? facts.inodesEnd % BLOCK_BYTES : facts.inodesEnd;
  const local: XattrPair[] = [];
  let shared = 0;
  for (const pair of xattrs) {
    filter &= ~pair.name.filterMask;
    if (pair.tableOffset !== -1 && shared < inode.sharedXattrs) {
      out.writeUInt32LE((tableOffset + pair.tableOffset) / 4, at);
      at += 4;
      shared++;
    } else {
      local.push(pair);
    }
  }
  out.writeUInt32LE(filter >>> 0, offset);
  out.writeUInt8(shared, offset + 4);
  for (const pair of local) at += writeXattrEntry(out, at, pair);
}

/** Writes a local or shared entry and returns its length. */
export function writeXattrEntry(out: Buffer, offset: number, pair: XattrPair): number {
  const { suffix, index } = pair.name;
  out.writeUInt8(suffix.length, offset);
  out.writeUInt8(index, offset + 1);
  out.writeUInt16LE(pair.value.length, offset + 2);
  out.write(suffix, offset + 4, "latin1");
  out.write(pair.value, offset + 4 + suffix.length, "latin1");
  return pair.entryBytes;
}

function writeContent(out: Buffer, inode: Inode, tailOffset: number, blocksOffset: number): void {
  const { node, listing } = inode;
  if (listing !== undefined) {
    let start = 0;
    listing.blockEnds.forEach((end, block) => {
      writeRecords(out, blocksOffset + block * BLOCK_BYTES, listing, start, end);
      start = end;
    });
    if (listing.tailBytes > 0) writeRecords(out, tailOffset, listing, start, listing.names.length);
  } else if (node.kind === "symlink") {
    out.write(node.target, inode.blockCount > 0 ? blocksOffset : tailOffset, "latin1");
  } else if (inode.layout === LAYOUT_CHUNKED) {
    // A moved array fills its whole block, whatever the count (spec 2.7, end).
    const [at, length] = inode.blockCount > 0 ? [blocksOffset, BLOCK_BYTES] : [tailOffset, inode.tailBytes];
    for (let index = 0; index < length; index += CHUNK_INDEX_BYTES) out.writeUInt32LE(NO_BLOCK, at + index);
  } else if (node.kind === "file" && node.content.type === "inline") {
    const { bytes } = node.content;
    out.set(bytes.subarray(0, bytes.length - inode.tailBytes), blocksOffset);
    out.set(bytes.subarray(bytes.length - inode.tailBytes), tailOffset);
  }
}
