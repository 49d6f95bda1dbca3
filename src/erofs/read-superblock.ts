/** Header and superblock read and checked (spec/erofs.md 1.1, 1.2, 8). */
import { ByteCursor } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import type { BuildTime } from "./build-time.ts";
import {
  BLOCK_BYTES,
  BLOCK_SIZE_BITS,
  type Epoch,
  FEATURE_COMPAT_MTIME,
  FEATURE_COMPAT_SB_CHECKSUM,
  FEATURE_COMPAT_XATTR_FILTER,
  FEATURE_INCOMPAT_CHUNKED_FILE,
  HEADER_MAGIC,
  HEADER_VERSION,
  INODES_OFFSET,
  SUPERBLOCK_MAGIC,
  SUPERBLOCK_OFFSET,
} from "./format.ts";
import { expectField, imageError } from "./read-error.ts";

/** The same cap as composefs-rs; a million files need about 300 MB. */
export const IMAGE_MAX_BYTES = 2 ** 30;

const COMPAT_KNOWN = FEATURE_COMPAT_SB_CHECKSUM | FEATURE_COMPAT_MTIME | FEATURE_COMPAT_XATTR_FILTER;

/** What the rest of the reader needs of the first 1152 bytes. */
export interface ImageHeader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly version: HeaderVersion;
  readonly epoch: Epoch;
  readonly rootNid: number;
  readonly inodeCount: number;
  readonly buildTime: BuildTime;
  /** Where shared xattr references count from. */
  readonly sharedXattrsOffset: number;
}

/** composefs_version, an image's form in its header (spec/erofs.md 1.1). */
export type HeaderVersion = 0 | 1 | 2;

/** How many of an image's first bytes give its version. */
export const VERSION_BYTES = 16;

/**
 * The version of an image, from its beginning.
 *
 * @param start at least {@link VERSION_BYTES} bytes
 * @throws SealrootError `corrupt` when this is not the beginning of an image
 */
export function readErofsVersion(start: Uint8Array): HeaderVersion {
  const cursor = new ByteCursor(start, "EROFS image");
  expectField(0, "header magic", cursor.u32(), HEADER_MAGIC);
  expectField(4, "header version", cursor.u32(), HEADER_VERSION);
  cursor.skip(4); // flags
  const version = cursor.u32();
  if (version !== 0 && version !== 1 && version !== 2) throw imageError(12, `composefs version ${version} is unknown`);
  return version;
}

/** Reads and checks the fixed part of an image. */
export function readImageHeader(bytes: Uint8Array): ImageHeader {
  if (bytes.length < INODES_OFFSET) throw imageError(0, `${bytes.length} bytes are too few for an image`);
  if (bytes.length > IMAGE_MAX_BYTES) {
    throw corrupt(`Cannot read EROFS image: ${bytes.length} bytes are more than ${IMAGE_MAX_BYTES}`);
  }
  const version = readErofsVersion(bytes);
  const cursor = new ByteCursor(bytes, "EROFS image");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, version, epoch: version === 2 ? 2 : 1, ...readSuperblock(cursor) };
}

function readSuperblock(cursor: ByteCursor) {
  const at = SUPERBLOCK_OFFSET;
  cursor.offset = at;
  expectField(at, "superblock magic", cursor.u32(), SUPERBLOCK_MAGIC);
  cursor.skip(4); // checksum: its feature bit is not set, nobody computes it
  const compat = cursor.u32();
  if ((compat & ~COMPAT_KNOWN) !== 0)
    throw imageError(at + 8, `unknown feature_compat bits in 0x${compat.toString(16)}`);
  expectField(at + 12, "block size exponent", cursor.u8(), BLOCK_SIZE_BITS);
  expectField(at + 13, "extension slots", cursor.u8(), 0);
  const rootNid = cursor.u16();
  const inodeCount = cursor.size();
  const buildTime = { seconds: cursor.i64(), nanoseconds: cursor.u32() };
  const blocks = cursor.u32();
  if (blocks * BLOCK_BYTES !== cursor.bytes.length) {
    throw imageError(at + 36, `${blocks} blocks in an image of ${cursor.bytes.length} bytes`);
  }
  expectField(at + 40, "metadata block", cursor.u32(), 0);
  const sharedXattrsOffset = cursor.u32() * BLOCK_BYTES;
  if (sharedXattrsOffset > cursor.bytes.length) throw imageError(at + 44, "the xattr block is beyond the image");
  cursor.skip(16 + 16); // uuid, volume name
  const incompat = cursor.u32();
  if ((incompat & ~FEATURE_INCOMPAT_CHUNKED_FILE) !== 0) {
    throw imageError(at + 80, `unknown feature_incompat bits in 0x${incompat.toString(16)}`);
  }
  expectField(at + 84, "compression algorithms", cursor.u16(), 0);
  expectField(at + 86, "extra devices", cursor.u16(), 0);
  cursor.skip(2 + 1); // device table slot, directory block bits
  expectField(at + 91, "xattr prefix count", cursor.u8(), 0);
  cursor.skip(4);
  expectField(at + 96, "packed inode", cursor.size(), 0);
  return { rootNid, inodeCount, buildTime, sharedXattrsOffset };
}
