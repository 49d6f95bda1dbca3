/** Inodes of 256 bytes (Linux Documentation/filesystems/ext4/inodes.rst; offsets are from there). */
import { crc32c, crc32cOfNumber } from "./crc32c.ts";
import { INODE_MAP_BYTES } from "./extents.ts";
import type { Ext4Time } from "./time.ts";

export const INODE_BYTES = 256;
/** i_block */
export const INODE_MAP_OFFSET = 0x28;
/** Fields beyond the 128 bytes of ext2, i_extra_isize. */
const EXTRA_BYTES = 32;
/** Where the attributes begin. */
export const INODE_XATTRS_OFFSET = 128 + EXTRA_BYTES;

/** i_flags */
export const INODE_FLAGS = { indexedDirectory: 0x1000, extents: 0x80000, verity: 0x100000 } as const;

export interface InodeFields {
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly linkCount: number;
  readonly flags: number;
  /** Blocks of the disk that belong to it, of any kind. */
  readonly blockCount: number;
  /** i_block: the top of its extents, the target of a short link, the numbers of a device. */
  readonly map: Uint8Array;
  /** The block of its attributes; 0 when there is none. */
  readonly xattrBlock: number;
  /** Of access and modification. */
  readonly time: Ext4Time;
  /** Of creation and of the last change of the inode. */
  readonly diskTime: Ext4Time;
}

/** The start value for checksums of an inode and its own blocks. New inodes have generation 0. */
export function inodeChecksumSeed(inode: number, checksumSeed: number): number {
  return crc32cOfNumber(crc32cOfNumber(checksumSeed, inode), 0);
}

/** Writes the fields into `bytes`, {@link INODE_BYTES} of zeros. Signed later, see {@link signInode}. */
export function writeInode(bytes: Uint8Array, fields: InodeFields): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (offset: number, value: number): void => view.setUint16(offset, value, true);
  const u32 = (offset: number, value: number): void => view.setUint32(offset, value, true);
  const sectors = fields.blockCount * 8;
  u16(0x0, fields.mode);
  u16(0x2, fields.uid & 0xffff);
  u32(0x4, fields.sizeBytes % 2 ** 32);
  u32(0x8, fields.time.seconds); // i_atime
  u32(0xc, fields.diskTime.seconds); // i_ctime
  u32(0x10, fields.time.seconds); // i_mtime
  u16(0x18, fields.gid & 0xffff);
  u16(0x1a, fields.linkCount);
  u32(0x1c, sectors % 2 ** 32);
  u32(0x20, fields.flags);
  bytes.set(fields.map.subarray(0, INODE_MAP_BYTES), INODE_MAP_OFFSET);
  u32(0x68, fields.xattrBlock % 2 ** 32);
  u32(0x6c, Math.floor(fields.sizeBytes / 2 ** 32));
  u16(0x74, Math.floor(sectors / 2 ** 32)); // l_i_blocks_high
  u16(0x76, Math.floor(fields.xattrBlock / 2 ** 32)); // l_i_file_acl_high
  u16(0x78, fields.uid >>> 16);
  u16(0x7a, fields.gid >>> 16);
  u16(0x80, EXTRA_BYTES);
  u32(0x84, fields.diskTime.extra);
  u32(0x88, fields.time.extra); // i_mtime_extra
  u32(0x8c, fields.time.extra); // i_atime_extra
  u32(0x90, fields.diskTime.seconds); // i_crtime
  u32(0x94, fields.diskTime.extra);
}

/** Writes the checksum of a complete inode, including its attributes. */
export function signInode(bytes: Uint8Array, inodeSeed: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const checksum = crc32c(inodeSeed, bytes);
  view.setUint16(0x7c, checksum & 0xffff, true);
  view.setUint16(0x82, checksum >>> 16, true);
}

/**
 * i_block of a device: the old 16-bit form if it holds both numbers, else the kernel's 32-bit form (fs/ext4/inode.c;
 * include/linux/kdev_t.h).
 */
export function deviceMap(major: number, minor: number): Uint8Array {
  const map = new Uint8Array(INODE_MAP_BYTES);
  const view = new DataView(map.buffer);
  if (major < 256 && minor < 256) view.setUint32(0, (major << 8) | minor, true);
  else view.setUint32(4, ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, true);
  return map;
}
