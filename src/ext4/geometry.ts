/**
 * The shape of the root file system, decided here and made by mke2fs: mke2fs's defaults may differ between its
 * versions, and are known only when the disk is written. The terms are those of Linux Documentation/filesystems/ext4,
 * the rules those of libext2fs (lib/ext2fs/initialize.c), which tests compare with.
 */
import { alignUp } from "../bytes/index.ts";
import { BLOCK_BYTES } from "./block.ts";
import { INODE_BYTES } from "./inode.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
const BLOCKS_PER_MIB = MIB / BLOCK_BYTES;

/** One bitmap block describes a group. */
export const BLOCKS_PER_GROUP = 8 * BLOCK_BYTES;
/** Size of a group descriptor with the feature 64bit. */
const DESCRIPTOR_BYTES = 64;
/** Groups whose bitmaps and inode tables are together. */
export const GROUPS_PER_FLEX_GROUP = 16;
/** A last group without this many blocks beyond its tables is left out. */
const LEAST_USEFUL_BLOCKS = 50;
/** The share of blocks that only root may use, as mke2fs's default (mke2fs(8), -m). */
export const RESERVED_PERCENT = 5;
/** Room for descriptors is reserved for a file system this many times as large (mke2fs(8), -E resize). */
const GROWTH_FACTOR = 1024;
/** The resize inode points to this many blocks of descriptors. */
const RESERVED_DESCRIPTOR_BLOCKS_LIMIT = BLOCK_BYTES / 4;
/** The journal's extents do not always fit into its inode. */
const JOURNAL_TREE_BLOCKS = 1;
/** The root directory and lost+found (16 KiB). */
const FIRST_FILES_BLOCKS = 1 + 4;
/** The indirect block of the inode that holds the blocks kept for growing. */
const RESIZE_INODE_BLOCKS = 1;
/** What 32 bits hold. */
const GROWABLE_BLOCKS_LIMIT = 2 ** 32 - 1;

export interface RootGeometry {
  /** Those of the partition except a last group that is too small. */
  readonly blockCount: number;
  readonly inodeCount: number;
  readonly journalMib: number;
  readonly orphanFileBlocks: number;
  /** Blocks that only root may use. */
  readonly reservedBlocks: number;
  /** Whether descriptors have room for more of them (feature resize_inode). */
  readonly keepsRoomForGrowing: boolean;
  /** At least this many are free, including the reserved ones, before anything is written into it. */
  readonly freeBlocks: number;
}

/** The file system of a partition of this size. */
export function rootGeometry(partitionBytes: number): RootGeometry {
  const shape = shapeOf(partitionBytes);
  const { blockCount, groupCount } = shape;
  const journalMib = journalMibOf(partitionBytes);
  const orphanFileBlocks = orphanFileBlocksOf(blockCount);
  const keepsRoomForGrowing = blockCount <= GROWABLE_BLOCKS_LIMIT;
  const journalBlocks = journalMib * BLOCKS_PER_MIB + JOURNAL_TREE_BLOCKS;
  const growthBlocks = keepsRoomForGrowing ? RESIZE_INODE_BLOCKS : 0;
  const filesBlocks = journalBlocks + orphanFileBlocks + FIRST_FILES_BLOCKS + growthBlocks;
  return {
    blockCount,
    inodeCount: shape.inodesPerGroup * groupCount,
    journalMib,
    orphanFileBlocks,
    reservedBlocks: Math.floor((blockCount * RESERVED_PERCENT) / 100),
    keepsRoomForGrowing,
    freeBlocks: blockCount - tableBlocks(shape) - filesBlocks,
  };
}

interface Shape {
  readonly blockCount: number;
  readonly groupCount: number;
  readonly inodesPerGroup: number;
  /** Superblock and descriptors, and what is reserved for more of them: in the groups that have a copy. */
  readonly copyBlocks: number;
}

function shapeOf(partitionBytes: number): Shape {
  const blockCount = Math.floor(partitionBytes / BLOCK_BYTES);
  const shape = shapeOfBlocks(blockCount, partitionBytes);
  const restBlocks = blockCount % BLOCKS_PER_GROUP;
  const leastBlocks = groupTableBlocks(shape, shape.groupCount - 1) + LEAST_USEFUL_BLOCKS;
  const hasUselessRest = shape.groupCount > 1 && restBlocks > 0 && restBlocks < leastBlocks;
  return hasUselessRest ? shapeOfBlocks(blockCount - restBlocks, partitionBytes) : shape;
}

function shapeOfBlocks(blockCount: number, partitionBytes: number): Shape {
  const groupCount = Math.ceil(blockCount / BLOCKS_PER_GROUP);
  const descriptorBlocks = Math.ceil((groupCount * DESCRIPTOR_BYTES) / BLOCK_BYTES);
  const grownGroups = Math.ceil(Math.min(blockCount * GROWTH_FACTOR, GROWABLE_BLOCKS_LIMIT) / BLOCKS_PER_GROUP);
  const grownBlocks = Math.ceil((grownGroups * DESCRIPTOR_BYTES) / BLOCK_BYTES);
  const growthBlocks = blockCount <= GROWABLE_BLOCKS_LIMIT ? grownBlocks - descriptorBlocks : 0;
  const reservedBlocks = Math.min(growthBlocks, RESERVED_DESCRIPTOR_BLOCKS_LIMIT);
  const groupBytes = Math.min(blockCount, BLOCKS_PER_GROUP) * BLOCK_BYTES;
  const inodes = Math.ceil(groupBytes / bytesPerInode(partitionBytes));
  return {
    blockCount,
    groupCount,
    inodesPerGroup: alignUp(inodes, BLOCK_BYTES / INODE_BYTES),
    copyBlocks: 1 + descriptorBlocks + reservedBlocks,
  };
}

/** Fewer inodes in large file systems, as in mke2fs.conf(5) for its types `big` and `huge`. */
function bytesPerInode(partitionBytes: number): number {
  if (partitionBytes < 4 * TIB) return 16384;
  return partitionBytes < 16 * TIB ? 32768 : 65536;
}

/** All blocks that belong to no file. */
function tableBlocks(shape: Shape): number {
  return shape.groupCount * (2 + inodeTableBlocks(shape)) + copyGroups(shape.groupCount).length * shape.copyBlocks;
}

/** Two bitmaps, the inode table, and the copy of superblock and descriptors. */
function groupTableBlocks(shape: Shape, group: number): number {
  const hasCopy = copyGroups(group + 1).includes(group);
  return 2 + inodeTableBlocks(shape) + (hasCopy ? shape.copyBlocks : 0);
}

function inodeTableBlocks(shape: Shape): number {
  return (shape.inodesPerGroup * INODE_BYTES) / BLOCK_BYTES;
}

/** The groups that have a copy of superblock and descriptors: 0 and 1 and the powers of 3, 5 and 7 (feature sparse_super). */
export function copyGroups(groupCount: number): number[] {
  const groups = [0, 1].filter((group) => group < groupCount);
  for (const base of [3, 5, 7]) for (let group = base; group < groupCount; group *= base) groups.push(group);
  return groups;
}

/**
 * mke2fs's own sizes, with slopes instead of steps: if a file system one MiB larger had a journal 16 MiB larger, it
 * would hold less.
 */
function journalMibOf(partitionBytes: number): number {
  const small = Math.min(64, Math.floor(partitionBytes / (32 * MIB)));
  const large = Math.min(1024, Math.floor(partitionBytes / (128 * MIB)));
  return Math.max(4, small, large);
}

/** As the default of libext2fs (ext2fs_default_orphan_file_blocks). */
function orphanFileBlocksOf(blockCount: number): number {
  return Math.min(512, Math.max(32, Math.floor(blockCount / 4096)));
}
