/**
 * The nodes of a file tree. One inode is one object: two names of a hard-linked file hold the *same* object, so
 * identity is simply `===`.
 */
import type { ByteString } from "../bytes/index.ts";

/** What every inode carries. Mutable: transforms replace fields in place. */
export interface Metadata {
  /** Permission bits only, 0..07777. The type is the node's `kind`. */
  mode: number;
  /** 0..2^32-1 */
  uid: number;
  gid: number;
  /** Seconds since 1970, signed 64 bits. */
  mtimeSeconds: bigint;
  /** 0..999_999_999 */
  mtimeNanoseconds: number;
  /** Full names to values; iteration order has no meaning. Replaced as a whole, since most inodes share one: {@link NO_XATTRS}. */
  xattrs: ReadonlyMap<ByteString, Uint8Array>;
}

/** What most inodes have. A separate map for each would be a third of a tree's memory. */
export const NO_XATTRS: ReadonlyMap<ByteString, Uint8Array> = new Map();

export interface DirectoryNode {
  readonly kind: "directory";
  readonly metadata: Metadata;
  /** Children by name; iteration order has no meaning, writers sort by bytes. */
  readonly entries: Map<ByteString, TreeNode>;
}

/**
 * Where a regular file's bytes are.
 *
 * - `inline`: in the image itself. Readers of directories and layers inline 0..64 bytes (spec/repository.md 3).
 * - `external`: in an object of the repository. `objectId` is the lower-case hex fs-verity digest. `backingPath` is
 *   given only if it is not the digest's own path (dump files of other tools). Both may be absent: a file of that size
 *   without known content. Never of size 0: an empty file is inline.
 */
export type FileContent =
  | { readonly type: "inline"; readonly bytes: Uint8Array }
  | {
      readonly type: "external";
      readonly sizeBytes: number;
      readonly objectId: string | undefined;
      readonly backingPath?: ByteString;
    };

/**
 * What a dump file says about an inode beyond the tree itself. Only the C dialect of the EROFS writer uses it, where
 * that tool stores what it was told instead of the facts (spec/erofs.md 2.2, 2.4, 2.5). Present only where it differs.
 */
export interface StatedFacts {
  /** The NLINK field. */
  readonly linkCount?: number;
  /** The SIZE field of a device, fifo or socket. */
  readonly sizeBytes?: number;
  /** The name on the inode's own line, for an inode that has others. */
  readonly primaryName?: { readonly parent: DirectoryNode; readonly name: ByteString };
}

interface Leaf {
  readonly metadata: Metadata;
  stated?: StatedFacts;
}

export interface FileNode extends Leaf {
  readonly kind: "file";
  readonly content: FileContent;
}

export interface SymlinkNode extends Leaf {
  readonly kind: "symlink";
  readonly target: ByteString;
}

export interface DeviceNode extends Leaf {
  readonly kind: "character-device" | "block-device";
  /** Device number in the kernel's 32-bit new-style encoding (spec/erofs.md 2.3). */
  readonly rdev: number;
}

export interface PipeNode extends Leaf {
  readonly kind: "fifo" | "socket";
}

export type LeafNode = FileNode | SymlinkNode | DeviceNode | PipeNode;
export type TreeNode = DirectoryNode | LeafNode;

/** Files of up to this many bytes live in the image, larger ones become objects (spec/repository.md 3, INLINE_CONTENT_MAX_V0). */
export const INLINE_CONTENT_MAX_BYTES = 64;
