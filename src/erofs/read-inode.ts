/** Inode headers read and checked, and where an inode's data are (spec/erofs.md 2.1, 2.3, 8). */
import { kindOfMode, PERMISSION_MASK, type TreeNode } from "../tree/index.ts";
import {
  BLOCK_BYTES,
  COMPACT_INODE_BYTES,
  EXTENDED_INODE_BYTES,
  FILE_SIZE_MAX_BYTES,
  INODES_OFFSET,
  LAYOUT_CHUNKED,
  LAYOUT_INLINE,
  LAYOUT_PLAIN,
  SLOT_BYTES,
  XATTR_AREA_HEADER_BYTES,
} from "./format.ts";
import { imageError } from "./read-error.ts";
import type { ImageHeader } from "./read-superblock.ts";

const FORMAT_EXTENDED = 1;
const NANOSECONDS = 1_000_000_000;

/** An inode's header with its sizes checked against the image. */
export interface RawInode {
  readonly nid: number;
  readonly offset: number;
  readonly kind: TreeNode["kind"];
  readonly layout: number;
  /** Permission bits. */
  readonly mode: number;
  readonly linkCount: number;
  readonly sizeBytes: number;
  /** i_u: block, chunk format or device number. */
  readonly union: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanoseconds: number;
  readonly xattrsOffset: number;
  /** After the xattr area: the inline tail or the chunk indexes. */
  readonly tailOffset: number;
}

/** Reads the inode with this number. */
export function readInode(image: ImageHeader, nid: number): RawInode {
  const offset = nid * SLOT_BYTES;
  const end = image.bytes.length;
  if (offset < INODES_OFFSET || offset + COMPACT_INODE_BYTES > end) {
    throw imageError(Math.min(offset, end), `inode number ${nid} is outside the image`);
  }
  const { view } = image;
  const format = view.getUint16(offset, true);
  const layout = format >> 1;
  if (layout !== LAYOUT_PLAIN && layout !== LAYOUT_INLINE && layout !== LAYOUT_CHUNKED) {
    throw imageError(offset, `data layout ${layout} is unknown`);
  }
  const isExtended = (format & FORMAT_EXTENDED) !== 0;
  const xattrsOffset = offset + (isExtended ? EXTENDED_INODE_BYTES : COMPACT_INODE_BYTES);
  if (xattrsOffset > end) throw imageError(offset, "the inode is cut off by the end of the image");
  const fullMode = view.getUint16(offset + 4, true);
  const kind = kindOfMode(fullMode);
  if (kind === undefined) throw imageError(offset + 4, `mode ${fullMode.toString(8)} has no known file type`);
  const icount = view.getUint16(offset + 2, true);
  const tailOffset = xattrsOffset + (icount === 0 ? 0 : XATTR_AREA_HEADER_BYTES + 4 * (icount - 1));
  if (tailOffset > end) throw imageError(offset + 2, "the extended attributes reach past the end of the image");
  return {
    nid,
    offset,
    kind,
    layout,
    mode: fullMode & PERMISSION_MASK,
    union: view.getUint32(offset + 16, true),
    xattrsOffset,
    tailOffset,
    ...(isExtended ? extendedFields(view, offset) : compactFields(image, offset)),
  };
}

function compactFields({ view, buildTime }: ImageHeader, offset: number) {
  return {
    linkCount: view.getUint16(offset + 6, true),
    sizeBytes: view.getUint32(offset + 8, true),
    uid: view.getUint16(offset + 24, true),
    gid: view.getUint16(offset + 26, true),
    mtimeSeconds: buildTime.seconds,
    mtimeNanoseconds: buildTime.nanoseconds,
  };
}

function extendedFields(view: DataView, offset: number) {
  const sizeBytes = view.getBigUint64(offset + 8, true);
  if (sizeBytes > BigInt(FILE_SIZE_MAX_BYTES)) throw imageError(offset + 8, `size ${sizeBytes} is over 2^53`);
  const mtimeNanoseconds = view.getUint32(offset + 40, true);
  if (mtimeNanoseconds >= NANOSECONDS) throw imageError(offset + 40, `${mtimeNanoseconds} nanoseconds`);
  return {
    linkCount: view.getUint32(offset + 44, true),
    sizeBytes: Number(sizeBytes),
    uid: view.getUint32(offset + 24, true),
    gid: view.getUint32(offset + 28, true),
    mtimeSeconds: view.getBigInt64(offset + 32, true),
    mtimeNanoseconds,
  };
}

/** An inode's own data in the image: whole blocks, then the inline tail. */
export interface InodeData {
  readonly blocks: Uint8Array;
  readonly tail: Uint8Array;
}

/** Finds the data of an inode that is not chunk-based. Views of the image. */
export function inodeData(image: ImageHeader, inode: RawInode): InodeData {
  const { bytes } = image;
  const { offset, layout, sizeBytes, tailOffset } = inode;
  if (sizeBytes > bytes.length) throw imageError(offset + 8, `size ${sizeBytes} is larger than the image`);
  const tailBytes = layout === LAYOUT_INLINE ? sizeBytes % BLOCK_BYTES : 0;
  if (layout === LAYOUT_INLINE && tailBytes === 0) throw imageError(offset, "an inline tail of no bytes");
  if (tailOffset + tailBytes > bytes.length) throw imageError(tailOffset, "the tail reaches past the end of the image");
  if ((tailOffset % BLOCK_BYTES) + tailBytes > BLOCK_BYTES) throw imageError(tailOffset, "the tail crosses a block");
  const blockBytes = sizeBytes - tailBytes;
  if (blockBytes === 0 && inode.union !== 0) throw imageError(offset + 16, "a data block for no data");
  const start = blockBytes === 0 ? 0 : inode.union * BLOCK_BYTES;
  if (start + blockBytes > bytes.length) throw imageError(offset + 16, "the data reach past the end of the image");
  return {
    blocks: bytes.subarray(start, start + blockBytes),
    tail: bytes.subarray(tailOffset, tailOffset + tailBytes),
  };
}
