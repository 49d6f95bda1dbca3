/** An inode's form and place in an image. */
import { COMPACT_INODE_BYTES, EXTENDED_INODE_BYTES, LAYOUT_PLAIN } from "./format.ts";
import type { Inode } from "./inode.ts";

/** Filled in by the layout; made when it is laid out, and again when it is written. */
export class PlacedInode {
  readonly inode: Inode;
  position = 0;
  isExtended = false;
  xattrAreaBytes = 0;
  /** How many of its attributes are references to the table of shared ones. */
  sharedXattrs = 0;
  /** i_format's data layout. */
  layout = LAYOUT_PLAIN;
  /** i_size. */
  sizeBytes = 0;
  /** The part of the content after the inode itself. */
  tailBytes = 0;
  /** Data blocks. */
  blockCount = 0;
  firstBlock = 0;

  constructor(inode: Inode) {
    this.inode = inode;
  }

  get headerBytes(): number {
    return this.isExtended ? EXTENDED_INODE_BYTES : COMPACT_INODE_BYTES;
  }

  /** Behind header, attributes and tail. */
  get end(): number {
    return this.position + this.headerBytes + this.xattrAreaBytes + this.tailBytes;
  }
}
