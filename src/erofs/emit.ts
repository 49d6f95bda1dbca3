/** The image's bytes from a finished layout (spec/erofs.md 1 to 3). */
import { modeOf } from "../tree/index.ts";
import type { BuildTime } from "./build-time.ts";
import { chunkFormat } from "./chunk-format.ts";
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
import type { ImageBuffer } from "./image-window.ts";
import type { PlacedInode } from "./placed-inode.ts";
import { writeXattrEntry, type XattrEntry } from "./xattr-entry.ts";

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
  readonly blockCount: number;
}

/** Writes header and superblock (spec 1.1, 1.2); all their other bytes stay zero. */
export function writeSuperblock(out: ImageBuffer, facts: ImageFacts): void {
  out.view.setUint32(0, HEADER_MAGIC, true);
  out.view.setUint32(4, HEADER_VERSION, true);
  out.view.setUint32(8, facts.hasAcl && facts.epoch === 1 ? HEADER_FLAG_HAS_ACL : 0, true);
  out.view.setUint32(12, facts.version, true);
  const at = SUPERBLOCK_OFFSET;
  out.view.setUint32(at, SUPERBLOCK_MAGIC, true);
  out.view.setUint32(at + 8, FEATURE_COMPAT_MTIME | FEATURE_COMPAT_XATTR_FILTER, true);
  out.view.setUint8(at + 12, BLOCK_SIZE_BITS);
  out.view.setUint16(at + 14, facts.rootNid, true);
  out.view.setUint32(at + 16, facts.inodeCount, true);
  out.view.setUint32(at + 36, facts.blockCount, true);
  if (facts.epoch === 2) return;
  out.view.setBigInt64(at + 24, facts.buildTime.seconds, true);
  out.view.setUint32(at + 32, facts.buildTime.nanoseconds, true);
  out.view.setUint32(at + 44, Math.floor(facts.inodesEnd / BLOCK_BYTES), true);
}

/** Writes one inode at an offset of the buffer: header, xattr area and tail. */
export function writeInode(
  out: ImageBuffer,
  at: number,
  placed: PlacedInode,
  xattrs: readonly XattrEntry[],
  facts: ImageFacts,
): void {
  writeHeader(out, at, placed, facts.epoch);
  const areaOffset = at + placed.headerBytes;
  if (xattrs.length > 0) writeXattrArea(out, areaOffset, placed, xattrs, facts);
  if (placed.tailBytes > 0) writeTail(out, areaOffset + placed.xattrAreaBytes, placed);
}

function writeHeader(out: ImageBuffer, at: number, placed: PlacedInode, epoch: Epoch): void {
  const { inode, xattrAreaBytes, sizeBytes } = placed;
  const { uid, gid, mtimeSeconds, mtimeNanoseconds } = inode.node.metadata;
  const icount = xattrAreaBytes === 0 ? 0 : (xattrAreaBytes - XATTR_AREA_HEADER_BYTES) / 4 + 1;
  out.view.setUint16(at, Number(placed.isExtended) | (placed.layout << 1), true);
  out.view.setUint16(at + 2, icount, true);
  out.view.setUint16(at + 4, inode.isEscapedWhiteout ? 0o100000 | inode.node.metadata.mode : modeOf(inode.node), true);
  out.view.setUint32(at + 16, unionField(placed, epoch), true);
  out.view.setUint32(at + 20, epoch === 1 ? inode.sequence : inode.nid, true);
  if (!placed.isExtended) {
    out.view.setUint16(at + 6, inode.linkCount, true);
    out.view.setUint32(at + 8, sizeBytes, true);
    out.view.setUint16(at + 24, uid, true);
    out.view.setUint16(at + 26, gid, true);
    return;
  }
  out.view.setBigUint64(at + 8, BigInt(sizeBytes), true);
  out.view.setUint32(at + 24, uid, true);
  out.view.setUint32(at + 28, gid, true);
  out.view.setBigInt64(at + 32, mtimeSeconds, true);
  out.view.setUint32(at + 40, epoch === 1 ? mtimeNanoseconds : 0, true);
  out.view.setUint32(at + 44, inode.linkCount, true);
}

/** i_u: block number, chunk format or device number (spec 2.3, 2.8). */
function unionField({ inode, layout, blockCount, firstBlock, sizeBytes }: PlacedInode, epoch: Epoch): number {
  if (layout === LAYOUT_CHUNKED) {
    const movedTo = blockCount > 0 ? firstBlock - (firstBlock % 2 ** CHUNK_FORMAT_BITS) : 0;
    return movedTo + chunkFormat(sizeBytes, epoch);
  }
  if (blockCount > 0) return firstBlock;
  return !inode.isEscapedWhiteout && "rdev" in inode.node ? inode.node.rdev : 0;
}

function writeXattrArea(
  out: ImageBuffer,
  offset: number,
  { sharedXattrs }: PlacedInode,
  xattrs: readonly XattrEntry[],
  facts: ImageFacts,
): void {
  let filter = 0xffffffff;
  let at = offset + XATTR_AREA_HEADER_BYTES;
  const tableOffset = facts.epoch === 1 ? facts.inodesEnd % BLOCK_BYTES : facts.inodesEnd;
  const local: XattrEntry[] = [];
  let shared = 0;
  for (const pair of xattrs) {
    filter &= ~pair.name.filterMask;
    if (pair.tableOffset !== -1 && shared < sharedXattrs) {
      out.view.setUint32(at, (tableOffset + pair.tableOffset) / 4, true);
      at += 4;
      shared++;
    } else {
      local.push(pair);
    }
  }
  out.view.setUint32(offset, filter >>> 0, true);
  out.view.setUint8(offset + 4, shared);
  for (const pair of local) at += writeXattrEntry(out, at, pair);
}

/** The part of the content after the inode itself. */
function writeTail(out: ImageBuffer, at: number, { inode, layout, tailBytes }: PlacedInode): void {
  const { node, listing } = inode;
  if (listing !== undefined) {
    writeRecords(out, at, listing, listing.blockEnds.at(-1) ?? 0, listing.names.length);
  } else if (node.kind === "symlink") {
    out.bytes.write(node.target, at, "latin1");
  } else if (layout === LAYOUT_CHUNKED) {
    writeChunkIndexes(out, at, tailBytes);
  } else if (node.kind === "file" && node.content.type === "inline") {
    const { bytes } = node.content;
    out.bytes.set(bytes.subarray(bytes.length - tailBytes), at);
  }
}

/** Writes the data block `block` of an inode, counted from its first one, at an offset of the buffer. */
export function writeDataBlock(out: ImageBuffer, at: number, placed: PlacedInode, block: number): void {
  const { inode, layout, tailBytes } = placed;
  const { node, listing } = inode;
  if (listing !== undefined) {
    writeRecords(out, at, listing, listing.blockEnds[block - 1] ?? 0, listing.blockEnds[block] as number);
  } else if (node.kind === "symlink") {
    out.bytes.write(node.target, at, "latin1");
  } else if (layout === LAYOUT_CHUNKED) {
    // A moved array fills its whole block, whatever the count (spec 2.7, end).
    writeChunkIndexes(out, at, BLOCK_BYTES);
  } else if (node.kind === "file" && node.content.type === "inline") {
    const { bytes } = node.content;
    const start = block * BLOCK_BYTES;
    out.bytes.set(bytes.subarray(start, Math.min(start + BLOCK_BYTES, bytes.length - tailBytes)), at);
  }
}

function writeChunkIndexes(out: ImageBuffer, at: number, lengthBytes: number): void {
  for (let index = 0; index < lengthBytes; index += CHUNK_INDEX_BYTES) out.view.setUint32(at + index, NO_BLOCK, true);
}
