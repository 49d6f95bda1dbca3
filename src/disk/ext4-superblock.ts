/** Reads the superblock of an ext4 file system (Linux Documentation/filesystems/ext4/super.rst). */
import { corrupt } from "../errors/index.ts";
import type { FeatureSet } from "./ext4-features.ts";

/** Where the superblock begins, from the file system's beginning, and its length. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;

/** s_magic */
const MAGIC = 0xef53;

export interface Superblock {
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly reservedBlocks: number;
  readonly freeBlocks: number;
  readonly inodeCount: number;
  readonly freeInodes: number;
  readonly inodeBytes: number;
  readonly features: FeatureSet;
}

/**
 * @param bytes the {@link SUPERBLOCK_BYTES} at {@link SUPERBLOCK_OFFSET}
 * @throws SealrootError `corrupt` when it is not one
 */
export function readSuperblock(bytes: Uint8Array): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  /** Low and high half, at their own places. */
  const u64 = (low: number, high: number): number => u32(low) + u32(high) * 2 ** 32;
  if (bytes.length < SUPERBLOCK_BYTES || view.getUint16(0x38, true) !== MAGIC) {
    throw corrupt("Cannot read the root file system: there is no ext4 superblock", { offset: SUPERBLOCK_OFFSET });
  }
  return {
    blockBytes: 1024 * 2 ** u32(0x18),
    blockCount: u64(0x4, 0x150),
    reservedBlocks: u64(0x8, 0x154),
    freeBlocks: u64(0xc, 0x158),
    inodeCount: u32(0x0),
    freeInodes: u32(0x10),
    inodeBytes: view.getUint16(0x58, true),
    features: { compatible: u32(0x5c), incompatible: u32(0x60), readOnlyCompatible: u32(0x64) },
  };
}
