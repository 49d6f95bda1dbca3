/** File type bits of st_mode (S_IFMT of inode(7)) and the kinds of nodes. */
import type { TreeNode } from "./node.ts";

const FILE_TYPE_MASK = 0o170000;
export const PERMISSION_MASK = 0o7777;

/** S_IFxxx of each kind. */
export const FILE_TYPE_BITS: Readonly<Record<TreeNode["kind"], number>> = {
  file: 0o100000,
  directory: 0o040000,
  "character-device": 0o020000,
  "block-device": 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
  symlink: 0o120000,
};

/**
 * FT_xxx: the type of an entry as stored in directories of ext4 (Linux Documentation/filesystems/ext4/directory.rst)
 * and EROFS (include/linux/fs_types.h).
 */
export const DIRENT_TYPES: Readonly<Record<TreeNode["kind"], number>> = {
  file: 1,
  directory: 2,
  "character-device": 3,
  "block-device": 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};

const KIND_OF_BITS: ReadonlyMap<number, TreeNode["kind"]> = new Map(
  Object.entries(FILE_TYPE_BITS).map(([kind, bits]) => [bits, kind as TreeNode["kind"]]),
);

/** The kind that a mode's type bits name, or undefined. */
export function kindOfMode(mode: number): TreeNode["kind"] | undefined {
  return KIND_OF_BITS.get(mode & FILE_TYPE_MASK);
}

/** Type and permission bits of a node. */
export function modeOf(node: TreeNode): number {
  return FILE_TYPE_BITS[node.kind] | (node.metadata.mode & PERMISSION_MASK);
}
