/** Inodes as they are read, of any size ext4 has (Linux Documentation/filesystems/ext4/inodes.rst; offsets are from there). */
import { corrupt } from "../errors/index.ts";
import { INODE_MAP_BYTES } from "./extents.ts";
import { INODE_MAP_OFFSET } from "./inode.ts";

/** The inode of ext2, to which larger ones add fields. */
const BASE_BYTES = 128;
/** i_crtime and the checksums end here; the most that is read of the added fields. */
const MTIME_EXTRA_END = 0x8c;

/** What an inode says. */
export interface ReadInode {
  /** Type and permission bits; 0 for one that is free. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly linkCount: number;
  /** i_flags */
  readonly flags: number;
  /** i_block */
  readonly map: Uint8Array;
  /** The block of its attributes; 0 when there is none. */
  readonly xattrBlock: number;
  readonly mtimeSeconds: bigint;
  readonly mtimeNanoseconds: number;
  /** Attributes in the inode itself; empty when it has no room for them. */
  readonly xattrArea: Uint8Array;
}

/**
 * @param bytes the whole inode
 * @throws SealrootError `corrupt` when its added fields are longer than itself
 */
export function readInode(bytes: Uint8Array): ReadInode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (offset: number): number => view.getUint16(offset, true);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  const extraBytes = bytes.length > BASE_BYTES ? u16(0x80) : 0;
  if (BASE_BYTES + extraBytes > bytes.length || extraBytes % 4 !== 0) {
    throw corrupt(`Cannot read the root file system: an inode has ${extraBytes} bytes of added fields`);
  }
  const mtimeExtra = BASE_BYTES + extraBytes >= MTIME_EXTRA_END ? u32(0x88) : 0;
  return {
    mode: u16(0x0),
    uid: u16(0x2) + u16(0x78) * 2 ** 16,
    gid: u16(0x18) + u16(0x7a) * 2 ** 16,
    sizeBytes: u32(0x4) + u32(0x6c) * 2 ** 32,
    linkCount: u16(0x1a),
    flags: u32(0x20),
    map: bytes.slice(INODE_MAP_OFFSET, INODE_MAP_OFFSET + INODE_MAP_BYTES),
    xattrBlock: u32(0x68) + u16(0x76) * 2 ** 32,
    mtimeSeconds: BigInt(view.getInt32(0x10, true)) + (BigInt(mtimeExtra & 3) << 32n),
    mtimeNanoseconds: mtimeExtra >>> 2,
    xattrArea: bytes.slice(BASE_BYTES + extraBytes),
  };
}
