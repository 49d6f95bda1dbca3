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
import { entryLength, type XattrEntry } from "./xattr-entry.ts";

/** libcomposefs' limit of shared references in one inode; composefs-rs has only the width of the field. */
const SHARED_XATTRS_MAX: Readonly<Record<DumpDialect, number>> = { c: 128, rs: 255 };
const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffffffff;

/** Lays the inodes out one behind the other. */
export class LayoutPass {
  readonly #epoch: Epoch;
  readonly #dialect: DumpDialect;
  readonly #buildTime: BuildTime;
  #position = INODES_OFFSET;

  constructor(epoch: Epoch, dialect: DumpDialect, buildTime: BuildTime) {
    this.#epoch = epoch;
    this.#dialect = dialect;
    this.#buildTime = buildTime;
  }

  /** First byte behind the inodes placed so far, on a slot boundary. */
  get end(): number {
    return alignUp(this.#position, SLOT_BYTES);
  }

  /** Gives an inode its form, its position and the number of its data blocks. */
  place(inode: Inode, xattrs: readonly XattrEntry[]): void {
    this.#measureXattrs(inode, xattrs);
    this.#measureContent(inode);
    inode.isExtended = this.#epoch === 2 || !this.#fitsCompact(inode);
    this.#position = this.end;
    if (this.#epoch === 2) this.#padEpoch2(inode);
    else if (inode.storedKind === "symlink") this.#padSymlink(inode);
    else this.#padTail(inode);
    inode.position = this.#position;
    this.#position = inode.end;
  }

  #measureXattrs(inode: Inode, xattrs: readonly XattrEntry[]): void {
    if (xattrs.length === 0) return;
    let bytes = XATTR_AREA_HEADER_BYTES;
    for (const pair of xattrs) {
      if (pair.tableOffset !== -1 && inode.sharedXattrs < SHARED_XATTRS_MAX[this.#dialect]) {
        inode.sharedXattrs++;
        bytes += SHARED_XATTR_REFERENCE_BYTES;
      } else if (pair.tableOffset !== -1 && this.#dialect === "rs") {
        throw new SealrootError("unsupported", "Cannot write EROFS image: an inode with over 255 shared attributes");
      } else {
        bytes += entryLength(pair);
      }
    }
    if ((bytes - XATTR_AREA_HEADER_BYTES) / 4 + 1 > UINT16_MAX) {
      throw new SealrootError("unsupported", "Cannot write EROFS image: an inode with over 256 KiB of attributes");
    }
    inode.xattrAreaBytes = bytes;
  }

  /** Initial size, layout, tail and blocks (spec 2.3, first table of 2.7). */
  #measureContent(inode: Inode): void {
    const { node, listing } = inode;
    if (listing !== undefined) {
      inode.blockCount = listing.blockEnds.length;
      inode.tailBytes = listing.tailBytes;
      inode.sizeBytes = inode.blockCount * BLOCK_BYTES + inode.tailBytes;
      inode.layout = inode.tailBytes > 0 ? LAYOUT_INLINE : LAYOUT_PLAIN;
    } else if (node.kind === "symlink") {
      checkSize("symbolic link", node.target.length, SYMLINK_MAX_BYTES[this.#epoch]);
      if (node.target.includes("\0")) throw corrupt("Cannot write EROFS image: a link target with a NUL");
      inode.sizeBytes = inode.tailBytes = node.target.length;
      inode.layout = LAYOUT_INLINE;
    } else if (node.kind === "file" && node.content.type === "external") {
      checkSize("file", node.content.sizeBytes, FILE_SIZE_MAX_BYTES);
      this.#measureChunks(inode, node.content.sizeBytes, node.content.objectId !== undefined);
    } else if (node.kind === "file" && node.content.type === "inline") {
      checkSize("file in the image", node.content.bytes.length, INLINE_CONTENT_MAX_BYTES[this.#epoch]);
      this.#measureInline(inode, node.content.bytes.length);
    }
  }

  #measureInline(inode: Inode, sizeBytes: number): void {
    inode.sizeBytes = sizeBytes;
    inode.tailBytes = sizeBytes;
    if (this.#epoch === 1) {
      inode.blockCount = Math.floor(sizeBytes / BLOCK_BYTES);
      inode.tailBytes = sizeBytes % BLOCK_BYTES;
      if (inode.tailBytes > BLOCK_BYTES / 2) {
        inode.blockCount++;
        inode.tailBytes = 0;
      }
    }
    inode.layout = inode.tailBytes > 0 ? LAYOUT_INLINE : LAYOUT_PLAIN;
  }

  /** Epoch 2 writes one index whatever the size, and none without a digest (spec 2.8). */
  #measureChunks(inode: Inode, sizeBytes: number, hasDigest: boolean): void {
    inode.sizeBytes = sizeBytes;
    inode.layout = LAYOUT_CHUNKED;
    const chunkBytes = 2 ** (BLOCK_SIZE_BITS + chunkFormat(sizeBytes, 1));
    const count = this.#epoch === 1 ? Math.ceil(sizeBytes / chunkBytes) : Number(hasDigest);
    inode.tailBytes = count * CHUNK_INDEX_BYTES;
  }

  #fitsCompact(inode: Inode): boolean {
    const { uid, gid, mtimeSeconds, mtimeNanoseconds } = inode.node.metadata;
    const isSpecial = inode.storedKind !== "file" && inode.storedKind !== "symlink" && inode.listing === undefined;
    const stated = inode.node.kind === "directory" || this.#dialect === "rs" ? undefined : inode.node.stated?.sizeBytes;
    return (
      mtimeSeconds === this.#buildTime.seconds &&
      mtimeNanoseconds === this.#buildTime.nanoseconds &&
      inode.linkCount <= UINT16_MAX &&
      uid <= UINT16_MAX &&
      gid <= UINT16_MAX &&
      (isSpecial ? (stated ?? 0) : inode.sizeBytes) <= UINT32_MAX
    );
  }

  /** A symbolic link stays within one block; one that cannot gets a data block, but is padded all the same. */
  #padSymlink(inode: Inode): void {
    const totalBytes = inode.headerBytes + inode.xattrAreaBytes + inode.tailBytes;
    if (blockOf(this.#position) !== blockOf(this.#position + totalBytes - 1)) {
      this.#position = alignUp(this.#position, BLOCK_BYTES);
    }
    if (totalBytes >= BLOCK_BYTES) moveTailToBlock(inode, LAYOUT_PLAIN);
  }

  /** A tail stays within one block; a chunk array that no padding helps gets a data block. */
  #padTail(inode: Inode): void {
    const fixedBytes = inode.headerBytes + inode.xattrAreaBytes;
    const roomBytes = roomInBlock(this.#position + fixedBytes);
    if (roomBytes >= inode.tailBytes) return;
    const padding = alignUp(roomBytes, SLOT_BYTES);
    if (inode.tailBytes <= roomInBlock(this.#position + fixedBytes + padding)) {
      this.#position += padding;
    } else {
      moveTailToBlock(inode, LAYOUT_CHUNKED);
      this.#position = alignUp(this.#position, BLOCK_BYTES);
    }
  }

  /** The end is taken one too far, so a tail that ends on a block boundary is padded too (spec 2.7: keep). */
  #padEpoch2(inode: Inode): void {
    if (inode.layout !== LAYOUT_INLINE) return;
    const lastFixed = this.#position + inode.headerBytes + inode.xattrAreaBytes - 1;
    const tailEnd = lastFixed + 1 + (inode.sizeBytes % BLOCK_BYTES);
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

function moveTailToBlock(inode: Inode, layout: number): void {
  inode.blockCount++;
  inode.tailBytes = 0;
  inode.layout = layout;
}

function checkSize(what: string, sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return;
  throw new SealrootError("unsupported", `Cannot write EROFS image: ${what} of ${sizeBytes} bytes, over ${maxBytes}`);
}
