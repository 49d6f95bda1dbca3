/** Gives each planned inode its number and its blocks. */
import { BLOCK_BYTES, type BlockRun, type Extent, extentTreeBlocks, type Groups } from "../../ext4/index.ts";
import { dataBlocks, type Ext4Plan, type PlannedInode, partBlocks } from "./plan.ts";

/** An inode and where all its parts are. */
export interface PlacedInode {
  readonly inode: PlannedInode;
  /** Of a file, a directory or a long link, in the order of its bytes. */
  readonly extents: readonly Extent[];
  /** Blocks of the map from the file's blocks to the disk's. */
  readonly treeBlocks: readonly number[];
  /** 0 when there is none. */
  readonly xattrBlock: number;
}

/** Number of the root directory's inode. */
const ROOT_INODE = 2;

/**
 * Takes inodes in the order of the plan, then blocks: first those of directories, attributes and links, so that looking
 * for names reads one stretch of the disk, then those of files.
 *
 * @param rootBlock the block that the root directory already has
 * @throws SealrootError `no-space`
 */
export function placeContent(plan: Ext4Plan, groups: Groups, rootBlock: number): PlacedInode[] {
  for (const inode of plan.planned) {
    const isDirectory = inode.entry.kind === "directory";
    inode.number = inode.parent === undefined ? ROOT_INODE : groups.takeInode(isDirectory);
  }
  const placed = plan.planned.map((inode) => ({
    inode,
    xattrBlock: inode.xattrs.inBlock.length > 0 ? takeBlock(groups) : 0,
    ...(inode.entry.kind === "file" ? NOWHERE : placeBlocks(inode, groups, rootBlock)),
  }));
  return placed.map((place) =>
    place.inode.entry.kind === "file" ? { ...place, ...placeFile(place.inode, groups) } : place,
  );
}

type Blocks = Pick<PlacedInode, "extents" | "treeBlocks">;
const NOWHERE: Blocks = { extents: [], treeBlocks: [] };

function placeBlocks(inode: PlannedInode, groups: Groups, rootBlock: number): Blocks {
  const count = dataBlocks(inode);
  const first: BlockRun[] = inode.parent === undefined ? [{ start: rootBlock, count: 1 }] : [];
  return withTree(extentsOf(0, [...first, ...groups.takeBlocks(count - first.length)]), groups);
}

function placeFile(inode: PlannedInode, groups: Groups): Blocks {
  const extents = inode.parts.flatMap((part) =>
    extentsOf(part.offset / BLOCK_BYTES, groups.takeBlocks(partBlocks(part))),
  );
  return withTree(extents, groups);
}

function extentsOf(fileBlock: number, runs: readonly BlockRun[]): Extent[] {
  let next = fileBlock;
  return runs.map((run) => {
    next += run.count;
    return { ...run, fileBlock: next - run.count };
  });
}

function withTree(extents: readonly Extent[], groups: Groups): Blocks {
  return { extents, treeBlocks: Array.from({ length: extentTreeBlocks(extents.length) }, () => takeBlock(groups)) };
}

function takeBlock(groups: Groups): number {
  const [run] = groups.takeBlocks(1);
  if (run === undefined) throw new Error("unreachable: one block was taken");
  return run.start;
}
