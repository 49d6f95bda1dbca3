/**
 * ext4: the shape of a file system, and what files, directories and attributes are in it.
 *
 * Format room: bytes and numbers in, bytes and numbers out. What is written has blocks of 4 KiB, inodes of 256 bytes, the
 * features of `features.ts` and no others. Empty file systems are made by mke2fs; this room knows how to fill them, and
 * how to read (`read-*.ts`) what others have made.
 * @module
 */
export { BLOCK_BYTES, type BlockRun, type ChangedBlock } from "./block.ts";
export {
  type DirectoryChild,
  type DirectoryLayout,
  directoryBlocks,
  isIndexed,
  layOutDirectory,
} from "./directory.ts";
export { directoryHash, type HashSeed, readHashSeed } from "./directory-hash.ts";
export {
  type Extent,
  type ExtentTree,
  encodeExtents,
  extentTreeBlocks,
  firstBlock,
  INODE_MAP_BYTES,
} from "./extents.ts";
export { type FeatureSet, rootFeatureNames, rootFeatures } from "./features.ts";
export {
  BLOCKS_PER_GROUP,
  copyGroups,
  GROUPS_PER_FLEX_GROUP,
  RESERVED_PERCENT,
  type RootGeometry,
  rootGeometry,
} from "./geometry.ts";
export { Groups } from "./groups.ts";
export {
  deviceMap,
  INODE_BYTES,
  INODE_FLAGS,
  INODE_MAP_OFFSET,
  INODE_XATTRS_OFFSET,
  type InodeFields,
  inodeChecksumSeed,
  signInode,
  writeInode,
} from "./inode.ts";
export { type DirectoryName, readDirectoryBlock } from "./read-directory.ts";
export { type ExtentNode, type ReadExtent, readExtentNode } from "./read-extents.ts";
export { type ReadInode, readInode } from "./read-inode.ts";
export { type ReadXattrs, readInodeXattrs, readXattrBlock } from "./read-xattrs.ts";
export {
  changeSuperblock,
  readSuperblock,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  type Superblock,
} from "./superblock.ts";
export { type Ext4Time, ext4Time } from "./time.ts";
export { placeXattrs, type StoredXattrs, writeInodeXattrs, xattrBlock } from "./xattrs.ts";
