/** Nodes of a file's extent tree as they are read (Linux Documentation/filesystems/ext4/ifork.rst, "Extent Tree"). */
import { corrupt } from "../errors/index.ts";
import type { Extent } from "./extents.ts";

const MAGIC = 0xf30a;
const HEADER_BYTES = 12;
const RECORD_BYTES = 12;
/** The kernel makes no deeper ones (fs/ext4/extents.c, EXT4_MAX_EXTENT_DEPTH). */
const DEPTH_MAX = 5;
/** A longer extent is one of this many blocks less that were reserved and never written: they read as zeros. */
const WRITTEN_BLOCKS_MAX = 32768;

/** A node: the extents of a leaf, or the blocks of the nodes below. */
export interface ExtentNode {
  /** 0 for a leaf. */
  readonly depth: number;
  readonly extents: readonly ReadExtent[];
  readonly children: readonly number[];
}

export interface ReadExtent extends Extent {
  /** Reserved, and never written: reads as zeros. */
  readonly isUnwritten: boolean;
}

/**
 * @param bytes i_block of an inode, or a block of its tree
 * @param depth what the node above said; unknown for the first
 * @throws SealrootError `corrupt` for what is not a node of this depth
 */
export function readExtentNode(bytes: Uint8Array, depth?: number): ExtentNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(2, true);
  const found = view.getUint16(6, true);
  const isNode = view.getUint16(0, true) === MAGIC && HEADER_BYTES + count * RECORD_BYTES <= bytes.length;
  if (!isNode || found > DEPTH_MAX || found !== (depth ?? found)) {
    throw corrupt("Cannot read the root file system: a node of a file's extents is malformed");
  }
  const offsets = Array.from({ length: count }, (_, index) => HEADER_BYTES + index * RECORD_BYTES);
  return {
    depth: found,
    extents: found === 0 ? offsets.map((offset) => extentAt(view, offset)) : [],
    children: found === 0 ? [] : offsets.map((offset) => wide(view, offset + 4, offset + 8)),
  };
}

function extentAt(view: DataView, offset: number): ReadExtent {
  const length = view.getUint16(offset + 4, true);
  const isUnwritten = length > WRITTEN_BLOCKS_MAX;
  return {
    fileBlock: view.getUint32(offset, true),
    start: wide(view, offset + 8, offset + 6),
    count: isUnwritten ? length - WRITTEN_BLOCKS_MAX : length,
    isUnwritten,
  };
}

function wide(view: DataView, low: number, high: number): number {
  return view.getUint32(low, true) + view.getUint16(high, true) * 2 ** 32;
}
