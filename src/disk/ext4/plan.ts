/** What a root file system will hold, computed to the block before anything is written. */
import { type ByteString, displayText } from "../../bytes/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import {
  BLOCK_BYTES,
  BLOCKS_PER_GROUP,
  type DirectoryChild,
  type DirectoryLayout,
  extentTreeBlocks,
  type HashSeed,
  INODE_MAP_BYTES,
  layOutDirectory,
  placeXattrs,
  readHashSeed,
  type StoredXattrs,
} from "../../ext4/index.ts";
import { DIRENT_TYPES, quotePath } from "../../tree/index.ts";
import { ext4VerityOffset } from "../../verity/index.ts";
import type { DiskEntry } from "../disk-entry.ts";
import type { RootContent, RootPlanOptions } from "../root-file-system.ts";

/** An entry that has an inode of its own. */
export type InodeEntry = Exclude<DiskEntry, { kind: "hard-link" }>;

/** A stretch of a file's bytes, starting at a block boundary. */
export interface FilePart {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** One inode of the planned file system. */
export interface PlannedInode {
  readonly entry: InodeEntry;
  readonly parent: PlannedInode | undefined;
  /** Given while the file system is filled. */
  number: number;
  linkCount: number;
  readonly xattrs: StoredXattrs;
  /** What to read from its source. */
  readonly parts: readonly FilePart[];
  readonly children: DirectoryChild[];
  layout: DirectoryLayout<DirectoryChild> | undefined;
}

/** A planned file system, with everything needed to fill it. */
export interface Ext4Plan extends RootContent {
  /** Seed of the directories' hashes: needed for equal inputs to give equal bytes. */
  readonly hashSeed: string;
  /** Parents before children, the root directory first. */
  readonly planned: readonly PlannedInode[];
}

/** Made by mke2fs, in every root directory. */
const LOST_AND_FOUND: DirectoryChild = { name: "lost+found" as ByteString, inode: 11, type: DIRENT_TYPES.directory };
/** The kernel's limits (linux/limits.h; fs/ext4/ext4.h, EXT4_LINK_MAX). */
const NAME_LIMIT_BYTES = 255;
const TARGET_LIMIT_BYTES = BLOCK_BYTES - 1;
const LINK_LIMIT = 65000;
/** Blocks are counted in 32 bits within a file. */
const FILE_LIMIT_BYTES = (2 ** 32 - 1) * BLOCK_BYTES;

/**
 * Plans the file system: what each inode has and how each directory is laid out. Only here is anything refused that
 * ext4 cannot hold.
 *
 * @param entries parents before children, the root directory first
 * @throws SealrootError `unsupported` naming the first entry that cannot be kept, and why
 */
export function planExt4(entries: readonly DiskEntry[], options: RootPlanOptions): Ext4Plan {
  const planner = new Planner(options);
  for (const entry of entries) planner.add(entry);
  return planner.finish();
}

class Planner {
  readonly #options: RootPlanOptions;
  readonly #hashSeed: HashSeed;
  readonly #planned: PlannedInode[] = [];
  readonly #byPath = new Map<ByteString, PlannedInode>();

  constructor(options: RootPlanOptions) {
    this.#options = options;
    this.#hashSeed = readHashSeed(options.hashSeed);
  }

  add(entry: DiskEntry): void {
    if (entry.kind === "hard-link") {
      this.#addLink(entry);
      return;
    }
    const isRoot = entry.path === "";
    const inode: PlannedInode = {
      entry,
      parent: isRoot ? undefined : this.#parentOf(entry.path),
      number: 0,
      linkCount: entry.kind === "directory" ? 2 : 1,
      xattrs: this.#xattrsOf(entry),
      parts: entry.kind === "file" ? this.#partsOf(entry) : [],
      children: isRoot ? [LOST_AND_FOUND] : [],
      layout: undefined,
    };
    if (entry.kind === "symlink" && (entry.target.length === 0 || entry.target.length > TARGET_LIMIT_BYTES)) {
      throw this.#refused(entry.path, `the target of the link has ${entry.target.length} bytes`);
    }
    if (isRoot) inode.linkCount++;
    else this.#enter(entry.path, inode);
    this.#planned.push(inode);
    this.#byPath.set(entry.path, inode);
  }

  finish(): Ext4Plan {
    let blocks = 0;
    for (const inode of this.#planned) {
      if (inode.entry.kind === "directory") inode.layout = this.#layOut(inode);
      blocks += dataBlocks(inode) + mapBlocks(inode) + (inode.xattrs.inBlock.length > 0 ? 1 : 0);
    }
    // The root directory already has a block and an inode. A file may be split where a group's tables are.
    const pieces = 2 * Math.ceil(blocks / BLOCKS_PER_GROUP);
    const { hashSeed } = this.#options;
    return { planned: this.#planned, hashSeed, blocks: blocks - 1 + pieces, inodes: this.#planned.length - 1 };
  }

  #addLink(entry: DiskEntry & { kind: "hard-link" }): void {
    const inode = this.#byPath.get(entry.existing);
    if (inode === undefined)
      throw corrupt(`Cannot plan the root file system: no ${quotePath(entry.existing)} to link to`);
    if (++inode.linkCount > LINK_LIMIT) throw this.#refused(entry.existing, `it has more than ${LINK_LIMIT} names`);
    this.#enter(entry.path, inode);
  }

  /** Puts a name into its directory. */
  #enter(path: ByteString, inode: PlannedInode): void {
    const parent = this.#parentOf(path);
    const name = path.slice(path.lastIndexOf("/") + 1) as ByteString;
    if (name.length > NAME_LIMIT_BYTES) throw this.#refused(path, `its name has ${name.length} bytes`);
    parent.children.push({
      name,
      type: DIRENT_TYPES[inode.entry.kind],
      get inode() {
        return inode.number;
      },
    });
    if (inode.entry.kind === "directory") parent.linkCount++;
  }

  #parentOf(path: ByteString): PlannedInode {
    const parent = this.#byPath.get(path.slice(0, Math.max(0, path.lastIndexOf("/"))) as ByteString);
    if (parent?.entry.kind === "directory") return parent;
    throw corrupt(`Cannot plan the root file system: ${quotePath(path)} has no directory`);
  }

  #xattrsOf(entry: InodeEntry): StoredXattrs {
    const placed = placeXattrs(entry.metadata.xattrs);
    if (typeof placed === "string") throw this.#refused(entry.path, placed);
    return placed;
  }

  #partsOf(entry: DiskEntry & { kind: "file" }): FilePart[] {
    const sizeBytes = this.#options.sizeOf(entry);
    if (sizeBytes > FILE_LIMIT_BYTES) throw this.#refused(entry.path, `it has ${sizeBytes} bytes`);
    if (entry.veritySizeBytes === undefined) return sizeBytes === 0 ? [] : [{ offset: 0, sizeBytes }];
    const tailOffset = ext4VerityOffset(entry.veritySizeBytes);
    const tail = { offset: tailOffset, sizeBytes: sizeBytes - tailOffset };
    return entry.veritySizeBytes === 0 ? [tail] : [{ offset: 0, sizeBytes: entry.veritySizeBytes }, tail];
  }

  #layOut(inode: PlannedInode): DirectoryLayout<DirectoryChild> {
    const layout = layOutDirectory(inode.children, this.#hashSeed);
    if (layout === undefined) throw this.#refused(inode.entry.path, `it has ${inode.children.length} names`);
    return layout;
  }

  #refused(path: ByteString, reason: string): SealrootError {
    const name = this.#options.nameOf?.(path) ?? path;
    return new SealrootError("unsupported", `Cannot put ${quotePath(name)} on a disk: ${reason}`, {
      path: displayText(name),
    });
  }
}

/** Blocks of the inode's content. */
export function dataBlocks(inode: PlannedInode): number {
  const { entry } = inode;
  if (entry.kind === "file") return inode.parts.reduce((sum, part) => sum + partBlocks(part), 0);
  // A target shorter than i_block is kept there.
  if (entry.kind === "symlink") return entry.target.length < INODE_MAP_BYTES ? 0 : 1;
  return inode.layout?.blockCount ?? 0;
}

export function partBlocks(part: FilePart): number {
  return Math.ceil(part.sizeBytes / BLOCK_BYTES);
}

/** Blocks of the map from the file's blocks to the disk's, if every group is free except for its tables. */
function mapBlocks(inode: PlannedInode): number {
  const pieces = 2 * Math.floor(dataBlocks(inode) / BLOCKS_PER_GROUP);
  return extentTreeBlocks(Math.max(1, inode.parts.length) + pieces);
}
