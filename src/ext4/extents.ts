/** The map from a file's blocks to the disk's (Linux Documentation/filesystems/ext4/ifork.rst, "Extent Tree"). */
import { BLOCK_BYTES, type BlockRun, type ChangedBlock } from "./block.ts";
import { crc32c } from "./crc32c.ts";

const MAGIC = 0xf30a;
const HEADER_BYTES = 12;
const RECORD_BYTES = 12;
/** i_block of an inode, which holds the top of the tree. */
export const INODE_MAP_BYTES = 60;
const INODE_RECORDS = (INODE_MAP_BYTES - HEADER_BYTES) / RECORD_BYTES;
/** The last four bytes of a tree block are its checksum. */
const BLOCK_RECORDS = Math.floor((BLOCK_BYTES - HEADER_BYTES - 4) / RECORD_BYTES);

/** Contiguous blocks of a file on the disk. */
export interface Extent extends BlockRun {
  /** Number of the first block in the file. */
  readonly fileBlock: number;
}

/** How many blocks of its own a tree of this many extents has. */
export function extentTreeBlocks(extentCount: number): number {
  let blocks = 0;
  for (let records = extentCount; records > INODE_RECORDS; ) {
    records = Math.ceil(records / BLOCK_RECORDS);
    blocks += records;
  }
  return blocks;
}

export interface ExtentTree {
  /** i_block */
  readonly inodeMap: Uint8Array;
  /** The tree's own blocks, in the order of `treeBlocks`. */
  readonly blocks: readonly ChangedBlock[];
}

/** A record: an extent in a leaf, or a block of the level below. */
type WriteRecord = (view: DataView, offset: number) => void;
interface LevelRecord {
  readonly fileBlock: number;
  readonly write: WriteRecord;
}
interface Level {
  readonly records: readonly LevelRecord[];
  readonly depth: number;
}

/**
 * @param extents in the order of the file
 * @param treeBlocks as many blocks as {@link extentTreeBlocks} says
 * @param inodeSeed see {@link inodeChecksumSeed}
 */
export function encodeExtents(
  extents: readonly Extent[],
  treeBlocks: readonly number[],
  inodeSeed: number,
): ExtentTree {
  const blocks: ChangedBlock[] = [];
  let level: Level = {
    records: extents.map((extent) => ({ fileBlock: extent.fileBlock, write: leafRecord(extent) })),
    depth: 0,
  };
  while (level.records.length > INODE_RECORDS) {
    const above: LevelRecord[] = [];
    for (let start = 0; start < level.records.length; start += BLOCK_RECORDS) {
      const part = level.records.slice(start, start + BLOCK_RECORDS);
      const [first] = part;
      const block = treeBlocks[blocks.length];
      if (first === undefined || block === undefined)
        throw new Error("unreachable: a tree has as many blocks as it needs");
      const bytes = new Uint8Array(BLOCK_BYTES);
      writeNode(bytes, { records: part, depth: level.depth }, BLOCK_RECORDS);
      new DataView(bytes.buffer).setUint32(
        BLOCK_BYTES - 4,
        crc32c(inodeSeed, bytes.subarray(0, BLOCK_BYTES - 4)),
        true,
      );
      above.push({ fileBlock: first.fileBlock, write: indexRecord(first.fileBlock, block) });
      blocks.push({ block, bytes });
    }
    level = { records: above, depth: level.depth + 1 };
  }
  const inodeMap = new Uint8Array(INODE_MAP_BYTES);
  writeNode(inodeMap, level, INODE_RECORDS);
  return { inodeMap, blocks };
}

/** The block of a file's first extent, from an i_block without a tree. */
export function firstBlock(inodeMap: Uint8Array): number {
  const view = new DataView(inodeMap.buffer, inodeMap.byteOffset, inodeMap.byteLength);
  return view.getUint16(HEADER_BYTES + 6, true) * 2 ** 32 + view.getUint32(HEADER_BYTES + 8, true);
}

function writeNode(bytes: Uint8Array, level: Level, limit: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint16(2, level.records.length, true);
  view.setUint16(4, limit, true);
  view.setUint16(6, level.depth, true);
  for (const [index, record] of level.records.entries()) record.write(view, HEADER_BYTES + index * RECORD_BYTES);
}

/** ext4_extent: block, length, start. */
function leafRecord({ fileBlock, start, count }: Extent): WriteRecord {
  return (view, offset) => {
    view.setUint32(offset, fileBlock, true);
    view.setUint16(offset + 4, count, true);
    view.setUint16(offset + 6, Math.floor(start / 2 ** 32), true);
    view.setUint32(offset + 8, start % 2 ** 32, true);
  };
}

/** ext4_extent_idx: block, block of the node below. */
function indexRecord(fileBlock: number, block: number): WriteRecord {
  return (view, offset) => {
    view.setUint32(offset, fileBlock, true);
    view.setUint32(offset + 4, block % 2 ** 32, true);
    view.setUint16(offset + 8, Math.floor(block / 2 ** 32), true);
  };
}
