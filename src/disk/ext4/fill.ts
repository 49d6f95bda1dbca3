/**
 * Fills an empty ext4 file system as planned, as an ordinary user. Only the bytes of the sources come from the building
 * host: no modes, owners, times or order.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { bytesOf } from "../../bytes/index.ts";
import { asSealrootError, corrupt } from "../../errors/index.ts";
import {
  BLOCK_BYTES,
  changeSuperblock,
  copyGroups,
  directoryBlocks,
  encodeExtents,
  firstBlock,
  Groups,
  INODE_BYTES,
  INODE_MAP_BYTES,
  INODE_MAP_OFFSET,
  inodeChecksumSeed,
  readHashSeed,
  readSuperblock,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  type Superblock,
  xattrBlock,
} from "../../ext4/index.ts";
import type { RootMakeOptions } from "../root-file-system.ts";
import type { WorkDisk } from "../work-disk.ts";
import { copyFile } from "./copy-file.ts";
import { DiskWriter } from "./disk-writer.ts";
import { inodeBytes } from "./inode.ts";
import { type PlacedInode, placeContent } from "./place.ts";
import type { Ext4Plan } from "./plan.ts";

/** Where the file system is in the disk, its time, and who is told of the progress. */
export type FillOptions = Pick<RootMakeOptions, "startBytes" | "epochSeconds" | "onProgress">;

/** Inodes between two pauses, in which signals and other work get a turn. */
const INODES_AT_ONCE = 64;
/** The root directory's place in the first inode table. */
const ROOT_INODE_OFFSET = INODE_BYTES;

/**
 * Writes the plan's content into a file system that mke2fs has just made.
 *
 * @throws SealrootError `corrupt` when the file system or a source is not what was planned; `no-space`
 */
export async function fillExt4(disk: WorkDisk, plan: Ext4Plan, options: FillOptions): Promise<void> {
  const path = resolve(disk.directory, disk.path);
  let file: number;
  try {
    file = openSync(path, "r+");
  } catch (error) {
    throw asSealrootError(error, "Cannot fill the root file system", { path });
  }
  try {
    await new Filler(file, plan, options).run();
  } finally {
    closeSync(file);
  }
}

class Filler {
  readonly #file: number;
  readonly #plan: Ext4Plan;
  readonly #options: FillOptions;
  readonly #superblock: Superblock;
  /** The group descriptors before and after. */
  readonly #oldTable: Uint8Array;
  readonly #table: Uint8Array;
  readonly #groups: Groups;
  readonly #writer: DiskWriter;

  constructor(file: number, plan: Ext4Plan, options: FillOptions) {
    this.#file = file;
    this.#plan = plan;
    this.#options = options;
    this.#superblock = readSuperblock(this.#read(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES));
    if (this.#superblock.hashSeed.join() !== readHashSeed(plan.hashSeed).join()) {
      throw corrupt("Cannot fill the root file system: it was made with another hash seed than planned");
    }
    this.#oldTable = this.#read(BLOCK_BYTES, this.#superblock.groupCount * this.#superblock.descriptorBytes);
    this.#table = Uint8Array.from(this.#oldTable);
    this.#groups = new Groups(this.#superblock, this.#table, (block) => this.#read(block * BLOCK_BYTES, BLOCK_BYTES));
    this.#writer = new DiskWriter(file, options.startBytes);
  }

  async run(): Promise<void> {
    this.#groups.writeOutCopies();
    const { block } = this.#groups.placeOf(1);
    const root = this.#read(block * BLOCK_BYTES + ROOT_INODE_OFFSET, INODE_BYTES);
    const placed = placeContent(this.#plan, this.#groups, firstBlock(root.subarray(INODE_MAP_OFFSET)));
    for (const place of placed) this.#writeOwnBlocks(place);
    for (const [index, place] of placed.entries()) {
      this.#writeFile(place);
      if (index % INODES_AT_ONCE !== 0) continue;
      this.#options.onProgress?.(index);
      await setImmediate();
    }
    this.#writeInodes(placed);
    for (const { block, bytes } of this.#groups.finish()) this.#writer.write(block, bytes);
    this.#writer.flush();
    for (const group of copyGroups(this.#superblock.groupCount)) this.#writeCopy(group);
  }

  #read(offset: number, lengthBytes: number): Uint8Array {
    const bytes = Buffer.alloc(lengthBytes);
    const found = readSync(this.#file, bytes, 0, lengthBytes, this.#options.startBytes + offset);
    if (found !== lengthBytes) throw corrupt("Cannot fill the root file system: it ends early", { offset });
    return bytes;
  }

  /** Everything except a file's content: attributes, directories, long links. */
  #writeOwnBlocks(place: PlacedInode): void {
    const { inode } = place;
    const { entry, parent, layout, number } = inode;
    if (place.xattrBlock !== 0) {
      const block = xattrBlock(inode.xattrs.inBlock, place.xattrBlock, this.#superblock.checksumSeed);
      this.#writer.write(place.xattrBlock, block);
    }
    if (layout !== undefined) {
      const own = { inode: number, parent: parent?.number ?? number };
      this.#writeExtents(place, directoryBlocks(layout, own, this.#seedOf(number)));
    } else if (entry.kind === "symlink" && entry.target.length >= INODE_MAP_BYTES) {
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(bytesOf(entry.target));
      this.#writeExtents(place, block);
    }
  }

  #writeExtents(place: PlacedInode, bytes: Uint8Array): void {
    for (const { start, count, fileBlock } of place.extents) {
      this.#writer.write(start, bytes.subarray(fileBlock * BLOCK_BYTES, (fileBlock + count) * BLOCK_BYTES));
    }
    this.#writeTree(place);
  }

  #writeFile(place: PlacedInode): void {
    const { entry, parts } = place.inode;
    if (entry.kind !== "file") return;
    copyFile(entry.source, parts, place.extents, this.#writer);
    this.#writeTree(place);
  }

  #writeTree({ inode, extents, treeBlocks }: PlacedInode): void {
    // Nearly all inodes hold their extents themselves.
    if (treeBlocks.length === 0) return;
    const { blocks } = encodeExtents(extents, treeBlocks, this.#seedOf(inode.number));
    for (const { block, bytes } of blocks) this.#writer.write(block, bytes);
  }

  /** Inode tables, a block at a time. Inodes made by mke2fs stay. */
  #writeInodes(placed: readonly PlacedInode[]): void {
    const firstNew = placed[1]?.inode.number ?? Number.POSITIVE_INFINITY;
    let current: { block: number; bytes: Uint8Array } | undefined;
    for (const place of placed) {
      const { number } = place.inode;
      const { block, offset } = this.#groups.placeOf(number);
      if (current?.block !== block) {
        if (current !== undefined) this.#writer.write(current.block, current.bytes);
        const hasOthers = number - offset / INODE_BYTES < firstNew;
        current = {
          block,
          bytes: hasOthers ? this.#read(block * BLOCK_BYTES, BLOCK_BYTES) : new Uint8Array(BLOCK_BYTES),
        };
      }
      current.bytes.set(inodeBytes(place, this.#options.epochSeconds, this.#seedOf(number)), offset);
    }
    if (current !== undefined) this.#writer.write(current.block, current.bytes);
  }

  #seedOf(inode: number): number {
    return inodeChecksumSeed(inode, this.#superblock.checksumSeed);
  }

  /** Superblock and descriptors of a group that has them. */
  #writeCopy(group: number): void {
    const start = group * this.#superblock.blocksPerGroup * BLOCK_BYTES;
    const superblockOffset = start + (group === 0 ? SUPERBLOCK_OFFSET : 0);
    const superblock = this.#read(superblockOffset, SUPERBLOCK_BYTES);
    changeSuperblock(superblock, this.#groups);
    this.#writeAt(superblockOffset, superblock);
    for (let offset = 0; offset < this.#table.length; offset += BLOCK_BYTES) {
      const bytes = this.#table.subarray(offset, offset + BLOCK_BYTES);
      if (Buffer.compare(bytes, this.#oldTable.subarray(offset, offset + BLOCK_BYTES)) === 0) continue;
      this.#writeAt(start + BLOCK_BYTES + offset, bytes);
    }
  }

  #writeAt(offset: number, bytes: Uint8Array): void {
    writeSync(this.#file, bytes, 0, bytes.length, this.#options.startBytes + offset);
  }
}
