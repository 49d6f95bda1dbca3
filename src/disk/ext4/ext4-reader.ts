/** Reads an ext4 file system inside a disk without mounting it, as an ordinary user. */
import { type ByteString, byteString } from "../../bytes/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import {
  INODE_FLAGS,
  INODE_MAP_BYTES,
  type ReadExtent,
  type ReadInode,
  type ReadXattrs,
  readDirectoryBlock,
  readExtentNode,
  readInode,
  readInodeXattrs,
  readSuperblock,
  readXattrBlock,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  type Superblock,
} from "../../ext4/index.ts";
import { kindOfMode, type TreeNode } from "../../tree/index.ts";

/**
 * Reads exactly `lengthBytes` bytes at an offset of the file system.
 * @param memory may be used for them
 * @throws SealrootError past its end
 */
export type ReadBytes = (offsetBytes: number, lengthBytes: number, memory?: Uint8Array) => Uint8Array;

/** A file of the file system. */
export interface Ext4File extends ReadInode {
  readonly inode: number;
  readonly kind: TreeNode["kind"];
}

const ROOT_INODE = 2;
/** filetype, extent, 64bit, flex_bg, metadata_csum_seed; whatever else there is changes what blocks mean. */
const KNOWN_FEATURES = 0x2 | 0x40 | 0x80 | 0x200 | 0x2000;
/** recover: its journal is refused by who changes it; reading shows what is in place. */
const RECOVER_FEATURE = 0x4;
/** Of ext2 and before 64bit. */
const SHORT_DESCRIPTOR_BYTES = 32;
const WIDE_FEATURE = 0x80;
/** A directory with more is not one of a sane system; bounds memory. */
const DIRECTORY_MAX_BYTES = 1 << 28;
/** PATH_MAX of linux/limits.h: no link's target is longer. */
const TARGET_MAX_BYTES = 4096;
const PIECE_BYTES = 1 << 20;

export class Ext4Reader {
  readonly superblock: Superblock;
  readonly #read: ReadBytes;
  readonly #blockBytes: number;
  /** Blocks where the groups' inode tables begin. */
  readonly #inodeTables = new Map<number, number>();
  /** Of {@link pieces}: fresh memory for each costs more than reading it. */
  #piece: Uint8Array | undefined;

  /** @throws SealrootError `corrupt` when there is no ext4; `unsupported` for features that are not known here */
  constructor(read: ReadBytes) {
    this.#read = read;
    this.superblock = readSuperblock(read(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES));
    const { blockBytes, features, inodeBytes } = this.superblock;
    const foreign = features.incompatible & ~(KNOWN_FEATURES | RECOVER_FEATURE);
    const isShaped = blockBytes <= 2 ** 16 && inodeBytes >= 128 && inodeBytes <= blockBytes;
    if (foreign === 0 && isShaped) {
      this.#blockBytes = blockBytes;
      return;
    }
    throw new SealrootError("unsupported", "Cannot read the root file system: its ext4 has features unknown here", {
      actual: `incompatible features 0x${foreign.toString(16)}, blocks of ${blockBytes}, inodes of ${inodeBytes} bytes`,
    });
  }

  /** The root directory. */
  root(): Ext4File {
    return this.file(ROOT_INODE);
  }

  /** @throws SealrootError `corrupt` for a number that no inode has, and for one that is free */
  file(inode: number): Ext4File {
    const { inodeBytes, inodesPerGroup, inodeCount } = this.superblock;
    if (inode < 1 || inode > inodeCount) throw corrupt(`Cannot read the root file system: there is no inode ${inode}`);
    const table = this.#inodeTable(Math.floor((inode - 1) / inodesPerGroup));
    const offset = table * this.#blockBytes + ((inode - 1) % inodesPerGroup) * inodeBytes;
    const read = readInode(this.#read(offset, inodeBytes));
    const kind = kindOfMode(read.mode);
    if (kind === undefined || read.linkCount === 0) {
      throw corrupt(`Cannot read the root file system: inode ${inode} is not in use`);
    }
    return { ...read, inode, kind };
  }

  /** Names of a directory and their inodes. */
  list(directory: Ext4File): Map<ByteString, number> {
    const names = new Map<ByteString, number>();
    if (directory.sizeBytes > DIRECTORY_MAX_BYTES) throw tooLarge("a directory", directory.sizeBytes);
    const bytes = this.bytes(directory, DIRECTORY_MAX_BYTES);
    for (let offset = 0; offset + this.#blockBytes <= bytes.length; offset += this.#blockBytes) {
      for (const { name, inode } of readDirectoryBlock(bytes.subarray(offset, offset + this.#blockBytes))) {
        names.set(name, inode);
      }
    }
    return names;
  }

  /** Target of a symbolic link, kept in the inode itself if it is short. */
  target(link: Ext4File): ByteString {
    const isInside = link.sizeBytes < INODE_MAP_BYTES && (link.flags & INODE_FLAGS.extents) === 0;
    return byteString(isInside ? link.map.subarray(0, link.sizeBytes) : this.bytes(link, TARGET_MAX_BYTES));
  }

  /** All extended attributes. */
  xattrs(file: Ext4File): ReadXattrs {
    const inside = readInodeXattrs(file.xattrArea);
    if (file.xattrBlock === 0) return inside;
    return new Map([...inside, ...readXattrBlock(this.#block(file.xattrBlock))]);
  }

  /** The whole content. @throws SealrootError `unsupported` above the limit */
  bytes(file: Ext4File, limitBytes: number): Uint8Array {
    if (file.sizeBytes > limitBytes) throw tooLarge("a file", file.sizeBytes);
    const bytes = Buffer.alloc(file.sizeBytes);
    let done = 0;
    for (const piece of this.pieces(file)) {
      bytes.set(piece, done);
      done += piece.length;
    }
    return bytes;
  }

  /**
   * The content in pieces of at most 1 MiB; holes and unwritten stretches are zeros. Each is valid until the next one, of any file, is
   * requested.
   */
  *pieces(file: Ext4File): Generator<Uint8Array> {
    if ((file.flags & INODE_FLAGS.extents) === 0) {
      if (file.sizeBytes === 0) return;
      throw new SealrootError("unsupported", "Cannot read the root file system: a file has block maps, not extents");
    }
    let done = 0;
    const zeros = function* (end: number): Generator<Uint8Array> {
      for (; done < end; done = Math.min(end, done + PIECE_BYTES))
        yield Buffer.alloc(Math.min(PIECE_BYTES, end - done));
    };
    for (const extent of this.#extents(file)) {
      const start = extent.fileBlock * this.#blockBytes;
      const end = Math.min(file.sizeBytes, start + extent.count * this.#blockBytes);
      if (start < done) throw corrupt("Cannot read the root file system: extents of a file overlap");
      // fs-verity's own blocks are behind the end.
      if (start >= file.sizeBytes) break;
      yield* zeros(start);
      if (extent.isUnwritten) yield* zeros(end);
      while (done < end) {
        const position = extent.start * this.#blockBytes + (done - start);
        this.#piece ??= new Uint8Array(PIECE_BYTES);
        const piece = this.#read(position, Math.min(PIECE_BYTES, end - done), this.#piece);
        done += piece.length;
        yield piece;
      }
    }
    yield* zeros(file.sizeBytes);
  }

  /** Where the last block of a file ends, also one behind the file's end, as fs-verity has them; 0 without blocks. */
  allocatedEnd(file: Ext4File): number {
    let end = 0;
    for (const { fileBlock, count } of this.#extents(file)) end = Math.max(end, (fileBlock + count) * this.#blockBytes);
    return end;
  }

  /** Bytes at an offset of a file, whatever its size; holes and unwritten stretches are zeros. */
  bytesAt(file: Ext4File, offsetBytes: number, lengthBytes: number): Uint8Array {
    const bytes = Buffer.alloc(lengthBytes);
    const end = offsetBytes + lengthBytes;
    for (const { fileBlock, count, start, isUnwritten } of this.#extents(file)) {
      const extentStart = fileBlock * this.#blockBytes;
      const [from, to] = [Math.max(offsetBytes, extentStart), Math.min(end, extentStart + count * this.#blockBytes)];
      if (from >= to || isUnwritten) continue;
      bytes.set(this.#read(start * this.#blockBytes + (from - extentStart), to - from), from - offsetBytes);
    }
    return bytes;
  }

  *#extents(file: Ext4File): Generator<ReadExtent> {
    let budget = Math.ceil(file.sizeBytes / this.#blockBytes) + 1;
    const read = this.#block.bind(this);
    const visit = function* (bytes: Uint8Array, depth?: number): Generator<ReadExtent> {
      const node = readExtentNode(bytes, depth);
      yield* node.extents;
      for (const child of node.children) {
        // A tree has at most as many nodes as its file has blocks; one that leads back to itself has more.
        if (--budget < 0) throw corrupt("Cannot read the root file system: the extents of a file do not end");
        yield* visit(read(child), node.depth - 1);
      }
    };
    yield* visit(file.map);
  }

  #inodeTable(group: number): number {
    const known = this.#inodeTables.get(group);
    if (known !== undefined) return known;
    const block = this.#readInodeTable(group);
    this.#inodeTables.set(group, block);
    return block;
  }

  #readInodeTable(group: number): number {
    const { blockBytes, descriptorBytes, features } = this.superblock;
    const isWide = (features.incompatible & WIDE_FEATURE) !== 0;
    const bytes = isWide ? Math.max(descriptorBytes, SHORT_DESCRIPTOR_BYTES) : SHORT_DESCRIPTOR_BYTES;
    // The descriptors follow the block of the superblock, which is the second one of blocks of 1 KiB.
    const table = blockBytes === SUPERBLOCK_BYTES ? 2 * blockBytes : blockBytes;
    const descriptor = this.#read(table + group * bytes, bytes);
    const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
    return view.getUint32(0x8, true) + (bytes > SHORT_DESCRIPTOR_BYTES ? view.getUint32(0x28, true) * 2 ** 32 : 0);
  }

  #block(block: number): Uint8Array {
    return this.#read(block * this.#blockBytes, this.#blockBytes);
  }
}

function tooLarge(what: string, sizeBytes: number): SealrootError {
  return new SealrootError(
    "unsupported",
    `Cannot read the root file system: ${what} of ${sizeBytes} bytes is too large`,
  );
}
