/** Where everything goes: inode forms, positions, blocks (spec/erofs.md 2.2, 2.3, 2.7, 2.8). */
import { alignUp } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import type { DumpDialect } from "../tree/index.ts";
import type { BuildTime } from "./build-time.ts";
import { chunkFormat } from "./chunk-format.ts";
import {
  BLOCK_BYTES,
  BLOCK_SIZE_BITS,
  CHUNK_INDEX_BYTES,
  type Epoch,
  FILE_SIZE_MAX_BYTES,
  INLINE_CONTENT_MAX_BYTES,
  INODES_OFFSET,
  LAYOUT_CHUNKED,
  LAYOUT_INLINE,
  LAYOUT_PLAIN,
  SHARED_XATTR_REFERENCE_BYTES,
  SLOT_BYTES,
  SYMLINK_MAX_BYTES,
  XATTR_AREA_HEADER_BYTES,
} from "./format.ts";
import type { Inode } from "./inode.ts";
import { PlacedInode } from "./placed-inode.ts";
import { entryLength, type XattrEntry } from "./xattr-entry.ts";

/** libcomposefs' limit of shared references in one inode; composefs-rs has only the width of the field. */
const SHARED_XATTRS_MAX: Readonly<Record<DumpDialect, number>> = { c: 128, rs: 255 };
const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffffffff;

/** What decides on an image's layout besides its inodes. */
export interface LayoutRules {
  readonly epoch: Epoch;
  readonly dialect: DumpDialect;
  readonly buildTime: BuildTime;
}

/**
 * Lays the inodes out one after the other. The same inodes in the same order always get the same places, so that they
 * can be laid out again while they are written.
 */
export class LayoutPass {
  readonly #rules: LayoutRules;
  #position = INODES_OFFSET;
  #nextBlock: number;

  /** @param firstBlock where the data blocks begin, when that is known */
  constructor(rules: LayoutRules, firstBlock = 0) {
    this.#rules = rules;
    this.#nextBlock = firstBlock;
  }

  /** First byte after the inodes placed so far, on a slot boundary. */
  get end(): number {
    return alignUp(this.#position, SLOT_BYTES);
  }

  /** The number after the last data block. */
  get nextBlock(): number {
    return this.#nextBlock;
  }

  /** Gives the next inode its form, its position and its data blocks. */
  place(inode: Inode, xattrs: readonly XattrEntry[]): PlacedInode {
    const placed = new PlacedInode(inode);
    this.#measureXattrs(placed, xattrs);
    this.#measureContent(placed);
    placed.isExtended = this.#rules.epoch === 2 || !this.#fitsCompact(placed);
    this.#position = this.end;
    if (this.#rules.epoch === 2) this.#padEpoch2(placed);
    else if (inode.storedKind === "symlink") this.#padSymlink(placed);
    else this.#padTail(placed);
    placed.position = this.#position;
    this.#position = placed.end;
    placed.firstBlock = this.#nextBlock;
    this.#nextBlock += placed.blockCount;
    return placed;
  }

  #measureXattrs(placed: PlacedInode, xattrs: readonly XattrEntry[]): void {
    if (xattrs.length === 0) return;
    let bytes = XATTR_AREA_HEADER_BYTES;
    for (const pair of xattrs) {
      if (pair.tableOffset !== -1 && placed.sharedXattrs < SHARED_XATTRS_MAX[this.#rules.dialect]) {
        placed.sharedXattrs++;
        bytes += SHARED_XATTR_REFERENCE_BYTES;
      } else if (pair.tableOffset !== -1 && this.#rules.dialect === "rs") {
        throw new SealrootError("unsupported", "Cannot write EROFS image: an inode with over 255 shared attributes");
      } else {
        bytes += entryLength(pair);
      }
    }
    if ((bytes - XATTR_AREA_HEADER_BYTES) / 4 + 1 > UINT16_MAX) {
      throw new SealrootError("unsupported", "Cannot write EROFS image: an inode with over 256 KiB of attributes");
    }
    placed.xattrAreaBytes = bytes;
  }

  /** Initial size, layout, tail and blocks (spec 2.3, first table of 2.7). */
  #measureContent(placed: PlacedInode): void {
    const { node, listing } = placed.inode;
    if (listing !== undefined) {
      placed.blockCount = listing.blockEnds.length;
      placed.tailBytes = listing.tailBytes;
      placed.sizeBytes = placed.blockCount * BLOCK_BYTES + placed.tailBytes;
      placed.layout = placed.tailBytes > 0 ? LAYOUT_INLINE : LAYOUT_PLAIN;
    } else if (node.kind === "symlink") {
      checkSize("symbolic link", node.target.length, SYMLINK_MAX_BYTES[this.#rules.epoch]);
      if (node.target.includes("\0")) throw corrupt("Cannot write EROFS image: a link target with a NUL");
      placed.sizeBytes = placed.tailBytes = node.target.length;
      placed.layout = LAYOUT_INLINE;
    } else if (node.kind === "file" && node.content.type === "external") {
      checkSize("file", node.content.sizeBytes, FILE_SIZE_MAX_BYTES);
      this.#measureChunks(placed, node.content.sizeBytes, node.content.objectId !== undefined);
    } else if (node.kind === "file" && node.content.type === "inline") {
      checkSize("file in the image", node.content.bytes.length, INLINE_CONTENT_MAX_BYTES[this.#rules.epoch]);
      this.#measureInline(placed, node.content.bytes.length);
    }
  }

  #measureInline(placed: PlacedInode, sizeBytes: number): void {
    placed.sizeBytes = sizeBytes;
    placed.tailBytes = sizeBytes;
    if (this.#rules.epoch === 1) {
      placed.blockCount = Math.floor(sizeBytes / BLOCK_BYTES);
      placed.tailBytes = sizeBytes % BLOCK_BYTES;
      if (placed.tailBytes > BLOCK_BYTES / 2) {
        placed.blockCount++;
        placed.tailBytes = 0;
      }
    }
    placed.layout = placed.tailBytes > 0 ? LAYOUT_INLINE : LAYOUT_PLAIN;
  }

  /** Epoch 2 writes one index whatever the size, and none without a digest (spec 2.8). */
  #measureChunks(placed: PlacedInode, sizeBytes: number, hasDigest: boolean): void {
    placed.sizeBytes = sizeBytes;
    placed.layout = LAYOUT_CHUNKED;
    const chunkBytes = 2 ** (BLOCK_SIZE_BITS + chunkFormat(sizeBytes, 1));
    const count = this.#rules.epoch === 1 ? Math.ceil(sizeBytes / chunkBytes) : Number(hasDigest);
    placed.tailBytes = count * CHUNK_INDEX_BYTES;
  }

  #fitsCompact(placed: PlacedInode): boolean {
    const { uid, gid, mtimeSeconds, mtimeNanoseconds } = placed.inode.node.metadata;
    const isSpecial =
      placed.inode.storedKind !== "file" && placed.inode.storedKind !== "symlink" && placed.inode.listing === undefined;
    const stated =
      placed.inode.node.kind === "directory" || this.#rules.dialect === "rs"
        ? undefined
        : placed.inode.node.stated?.sizeBytes;
    return (
      mtimeSeconds === this.#rules.buildTime.seconds &&
      mtimeNanoseconds === this.#rules.buildTime.nanoseconds &&
      placed.inode.linkCount <= UINT16_MAX &&
      uid <= UINT16_MAX &&
      gid <= UINT16_MAX &&
      (isSpecial ? (stated ?? 0) : placed.sizeBytes) <= UINT32_MAX
    );
  }

  /** A symbolic link stays within one block; one that cannot gets a data block, but is padded all the same. */
  #padSymlink(placed: PlacedInode): void {
    const totalBytes = placed.headerBytes + placed.xattrAreaBytes + placed.tailBytes;
    if (blockOf(this.#position) !== blockOf(this.#position + totalBytes - 1)) {
      this.#position = alignUp(this.#position, BLOCK_BYTES);
    }
    if (totalBytes >= BLOCK_BYTES) moveTailToBlock(placed, LAYOUT_PLAIN);
  }

  /** A tail stays within one block; a chunk array that no padding helps gets a data block. */
  #padTail(placed: PlacedInode): void {
    const fixedBytes = placed.headerBytes + placed.xattrAreaBytes;
    const roomBytes = roomInBlock(this.#position + fixedBytes);
    if (roomBytes >= placed.tailBytes) return;
    const padding = alignUp(roomBytes, SLOT_BYTES);
    if (placed.tailBytes <= roomInBlock(this.#position + fixedBytes + padding)) {
      this.#position += padding;
    } else {
      moveTailToBlock(placed, LAYOUT_CHUNKED);
      this.#position = alignUp(this.#position, BLOCK_BYTES);
    }
  }

  /** The end is taken one too far, so a tail that ends on a block boundary is padded too (spec 2.7: keep). */
  #padEpoch2(placed: PlacedInode): void {
    if (placed.layout !== LAYOUT_INLINE) return;
    const lastFixed = this.#position + placed.headerBytes + placed.xattrAreaBytes - 1;
    const tailEnd = lastFixed + 1 + (placed.sizeBytes % BLOCK_BYTES);
    if (blockOf(lastFixed) === blockOf(tailEnd)) return;
    this.#position = alignUp(this.#position + BLOCK_BYTES - (lastFixed % BLOCK_BYTES), SLOT_BYTES);
  }
}

function blockOf(offset: number): number {
  return Math.floor(offset / BLOCK_BYTES);
}

/** Bytes from an offset to the end of its block: 1..4096. */
function roomInBlock(offset: number): number {
  return BLOCK_BYTES - (offset % BLOCK_BYTES);
}

function moveTailToBlock(placed: PlacedInode, layout: number): void {
  placed.blockCount++;
  placed.tailBytes = 0;
  placed.layout = layout;
}

function checkSize(what: string, sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw new SealrootError("unsupported", `Cannot write EROFS image: ${what} of ${sizeBytes} bytes, over ${maxBytes}`);
}
