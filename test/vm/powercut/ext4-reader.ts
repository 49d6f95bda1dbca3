/**
 * Files of an ext4 file system, read without mounting it (Linux Documentation/filesystems/ext4/; offsets are from there).
 * The journal must have been replayed.
 */
import { corrupt } from "../../../src/errors/index.ts";
import { BLOCK_BYTES, INODE_FLAGS, INODE_MAP_OFFSET } from "../../../src/ext4/index.ts";

/** Reads bytes of the file system. */
export type ReadAt = (offsetBytes: number, sizeBytes: number) => Buffer;

const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_BYTES = 1024;
const MAGIC = 0xef53;
const EXTENT_MAGIC = 0xf30a;
const ROOT_INODE = 2;
const S_IFMT = 0xf000;
const S_IFDIR = 0x4000;
const S_IFREG = 0x8000;
const S_IFLNK = 0xa000;
/** Shorter targets of links are in the inode itself. */
const FAST_LINK_BYTES = 60;
const UNWRITTEN = 32768;
const BLOCK_MASK_64BIT = 0x80;

/** Blocks of a file, `blockCount` from `fileBlock` on. */
export interface FileExtent {
  readonly fileBlock: number;
  readonly block: number;
  readonly blockCount: number;
  readonly isUnwritten: boolean;
}

export interface Ext4File {
  readonly inode: number;
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly sizeBytes: number;
  readonly isVerity: boolean;
  /** The inode's own bytes. */
  readonly bytes: Buffer;
}

/** Of a file system that does not change: what was listed once is kept. */
export class Ext4Reader {
  readonly #read: ReadAt;
  readonly #listed = new Map<number, ReadonlyMap<string, number>>();
  readonly #inodesPerGroup: number;
  readonly #inodeBytes: number;
  readonly #groupBytes: number;

  /** @throws SealrootError `corrupt` */
  constructor(read: ReadAt) {
    this.#read = read;
    const superblock = read(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES);
    if (superblock.readUInt16LE(0x38) !== MAGIC) throw corrupt("Cannot read ext4: no superblock", { offset: 1024 });
    if (superblock.readUInt32LE(0x18) !== 2) throw corrupt("Cannot read ext4: blocks are not of 4096 bytes");
    this.#inodesPerGroup = superblock.readUInt32LE(0x28);
    this.#inodeBytes = superblock.readUInt16LE(0x58);
    const is64bit = (superblock.readUInt32LE(0x60) & BLOCK_MASK_64BIT) !== 0;
    this.#groupBytes = is64bit ? superblock.readUInt16LE(0xfe) : 32;
  }

  /** @throws SealrootError `corrupt` for an inode that is none */
  inode(number: number): Ext4File {
    const group = Math.floor((number - 1) / this.#inodesPerGroup);
    const descriptor = this.#read(BLOCK_BYTES + group * this.#groupBytes, this.#groupBytes);
    const high = this.#groupBytes >= 64 ? descriptor.readUInt32LE(0x28) : 0;
    const table = high * 2 ** 32 + descriptor.readUInt32LE(0x8);
    const offset = table * BLOCK_BYTES + ((number - 1) % this.#inodesPerGroup) * this.#inodeBytes;
    const bytes = this.#read(offset, this.#inodeBytes);
    const type = bytes.readUInt16LE(0) & S_IFMT;
    const flags = bytes.readUInt32LE(0x20);
    return {
      inode: number,
      kind: type === S_IFREG ? "file" : type === S_IFDIR ? "directory" : type === S_IFLNK ? "symlink" : "other",
      sizeBytes: bytes.readUInt32LE(0x6c) * 2 ** 32 + bytes.readUInt32LE(0x4),
      isVerity: (flags & INODE_FLAGS.verity) !== 0,
      bytes,
    };
  }

  /** In the order of the file. */
  extents({ bytes, inode }: Ext4File): FileExtent[] {
    const found: FileExtent[] = [];
    const walk = (node: Buffer): void => {
      if (node.readUInt16LE(0) !== EXTENT_MAGIC) throw corrupt(`Cannot read inode ${inode}: it has no extents`);
      const [count, depth] = [node.readUInt16LE(2), node.readUInt16LE(6)];
      for (let at = 12; at < 12 + count * 12; at += 12) {
        if (depth > 0) {
          walk(
            this.#read((node.readUInt16LE(at + 8) * 2 ** 32 + node.readUInt32LE(at + 4)) * BLOCK_BYTES, BLOCK_BYTES),
          );
          continue;
        }
        const length = node.readUInt16LE(at + 4);
        const isUnwritten = length > UNWRITTEN;
        found.push({
          fileBlock: node.readUInt32LE(at),
          block: node.readUInt16LE(at + 6) * 2 ** 32 + node.readUInt32LE(at + 8),
          blockCount: isUnwritten ? length - UNWRITTEN : length,
          isUnwritten,
        });
      }
    };
    walk(bytes.subarray(INODE_MAP_OFFSET, INODE_MAP_OFFSET + FAST_LINK_BYTES));
    return found;
  }

  /** All blocks that the file has, with what lies behind its end; holes are zeros. */
  blocksOf(file: Ext4File): Buffer {
    const extents = this.extents(file);
    const end = extents.reduce((most, { fileBlock, blockCount }) => Math.max(most, fileBlock + blockCount), 0);
    const bytes = Buffer.alloc(end * BLOCK_BYTES);
    for (const { fileBlock, block, blockCount, isUnwritten } of extents) {
      if (isUnwritten) continue;
      this.#read(block * BLOCK_BYTES, blockCount * BLOCK_BYTES).copy(bytes, fileBlock * BLOCK_BYTES);
    }
    return bytes;
  }

  /** What the file holds; of a link, its target. */
  contentOf(file: Ext4File): Buffer {
    const { sizeBytes, bytes, kind } = file;
    if (kind === "symlink" && sizeBytes < FAST_LINK_BYTES) {
      return bytes.subarray(INODE_MAP_OFFSET, INODE_MAP_OFFSET + sizeBytes);
    }
    const stored = this.blocksOf(file);
    return stored.length >= sizeBytes
      ? stored.subarray(0, sizeBytes)
      : Buffer.concat([stored, Buffer.alloc(sizeBytes - stored.length)]);
  }

  /** Names in a directory and their inodes, without `.` and `..`; the blocks of an index look like empty ones. */
  list(directory: Ext4File): ReadonlyMap<string, number> {
    const known = this.#listed.get(directory.inode);
    if (known !== undefined) return known;
    const names = new Map<string, number>();
    const bytes = this.contentOf(directory);
    for (let at = 0; at + 8 <= bytes.length; ) {
      const inode = bytes.readUInt32LE(at);
      const length = bytes.readUInt16LE(at + 4);
      if (length < 8) throw corrupt(`Cannot read directory ${directory.inode}: an entry of ${length} bytes`);
      const name = bytes.toString("latin1", at + 8, at + 8 + bytes.readUInt8(at + 6));
      if (inode !== 0 && name !== "." && name !== "..") names.set(name, inode);
      at += length;
    }
    this.#listed.set(directory.inode, names);
    return names;
  }

  /** A path from the root, no link in it being followed; undefined when it does not exist. */
  find(path: string): Ext4File | undefined {
    let at = this.inode(ROOT_INODE);
    for (const name of path.split("/").filter((part) => part !== "")) {
      const inode = at.kind === "directory" ? this.list(at).get(name) : undefined;
      if (inode === undefined) return undefined;
      at = this.inode(inode);
    }
    return at;
  }
}
