/** One inode of an image being written. */
import type { ByteString } from "../bytes/index.ts";
import type { DirectoryNode, TreeNode } from "../tree/index.ts";
import { SLOT_BYTES } from "./format.ts";
import type { XattrEntry } from "./xattr-entry.ts";

/** A directory's records: its entries with `.` and `..`, in byte order. */
export interface DirectoryListing {
  readonly names: readonly ByteString[];
  readonly inodes: readonly Inode[];
  /** Index after the last record of each full block; what follows the last one is the inline tail. */
  readonly blockEnds: readonly number[];
  readonly tailBytes: number;
}

/** A separate array for each inode would be a fifth of their memory. */
const NO_XATTR_ENTRIES: readonly XattrEntry[] = [];

/**
 * Filled in by the passes of the writer one after the other: order, xattrs, position. There may be a million of them, so
 * what follows from these facts is not kept: see {@link PlacedInode}.
 */
export class Inode {
  readonly node: TreeNode;
  /** An epoch 1 whiteout, stored as a marked empty file (spec/erofs.md 3.4 step 3). */
  readonly isEscapedWhiteout: boolean;
  /** i_nlink. */
  readonly linkCount: number;
  /** Place in inode order. */
  sequence = -1;
  listing: DirectoryListing | undefined;
  /** All but the object's metacopy and redirect, which would be two entries for every file. */
  xattrs: readonly XattrEntry[] = NO_XATTR_ENTRIES;
  /** Where it begins in the image. */
  position = 0;

  constructor(node: TreeNode, linkCount: number, isEscapedWhiteout: boolean) {
    this.node = node;
    this.linkCount = linkCount;
    this.isEscapedWhiteout = isEscapedWhiteout;
  }

  /** The number by which directories name it: its offset in slots, since meta_blkaddr is 0. */
  get nid(): number {
    return this.position / SLOT_BYTES;
  }

  /** Whether it is a directory with an escaped whiteout in it. */
  get holdsWhiteouts(): boolean {
    return this.listing?.inodes.some(({ isEscapedWhiteout }) => isEscapedWhiteout) ?? false;
  }

  /** The kind as stored. */
  get storedKind(): TreeNode["kind"] {
    return this.isEscapedWhiteout ? "file" : this.node.kind;
  }
}

/** A directory with the inode of its parent, waiting for its listing. */
export interface PendingDirectory {
  readonly inode: Inode;
  readonly node: DirectoryNode;
  readonly parent: Inode;
}
