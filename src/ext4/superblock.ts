/** The superblock of an ext4 file system (Linux Documentation/filesystems/ext4/super.rst; offsets are from there). */
import { corrupt } from "../errors/index.ts";
import { CRC32C_START, crc32c } from "./crc32c.ts";
import type { HashSeed } from "./directory-hash.ts";
import type { FeatureSet } from "./features.ts";

/** Where the superblock begins, from the file system's beginning, and its length. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;

/** s_magic */
const MAGIC = 0xef53;
const CHECKSUM_OFFSET = 0x3fc;
/** INCOMPAT_RECOVER and INCOMPAT_CSUM_SEED of s_feature_incompat, RO_COMPAT_ORPHAN_PRESENT of s_feature_ro_compat. */
const NEEDS_RECOVERY = 0x4;
const CHECKSUM_SEED = 0x2000;
const ORPHANS_PRESENT = 0x10000;
/** s_flags: names are hashed as signed bytes. mke2fs sets what is natural on the machine it runs on. */
const SIGNED_HASH = 0x1;
const UNSIGNED_HASH = 0x2;

export interface Superblock {
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly reservedBlocks: number;
  readonly freeBlocks: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodeCount: number;
  readonly freeInodes: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly descriptorBytes: number;
  /** Kept beside the descriptors for growing. */
  readonly reservedDescriptorBlocks: number;
  readonly groupsPerFlexGroup: number;
  readonly features: FeatureSet;
  /** Why the file system cannot be taken as it is: not unmounted, errors found, deleted files to clear; else undefined. */
  readonly unclean: string | undefined;
  readonly hashSeed: HashSeed;
  /** The start value of every checksum of metadata: that of the UUID, unless the feature metadata_csum_seed keeps another. */
  readonly checksumSeed: number;
}

/**
 * @param bytes the {@link SUPERBLOCK_BYTES} at {@link SUPERBLOCK_OFFSET}
 * @throws SealrootError `corrupt` when it is not one
 */
export function readSuperblock(bytes: Uint8Array): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (offset: number): number => view.getUint16(offset, true);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  /** Low and high half, at their own places. */
  const u64 = (low: number, high: number): number => u32(low) + u32(high) * 2 ** 32;
  if (bytes.length < SUPERBLOCK_BYTES || u16(0x38) !== MAGIC) {
    throw corrupt("Cannot read the root file system: there is no ext4 superblock", { offset: SUPERBLOCK_OFFSET });
  }
  const blockCount = u64(0x4, 0x150);
  const blocksPerGroup = u32(0x20);
  return {
    blockBytes: 1024 * 2 ** u32(0x18),
    blockCount,
    reservedBlocks: u64(0x8, 0x154),
    freeBlocks: u64(0xc, 0x158),
    blocksPerGroup,
    groupCount: Math.ceil(blockCount / blocksPerGroup),
    inodeCount: u32(0x0),
    freeInodes: u32(0x10),
    inodesPerGroup: u32(0x28),
    inodeBytes: u16(0x58),
    descriptorBytes: u16(0xfe),
    reservedDescriptorBlocks: u16(0xce),
    groupsPerFlexGroup: 2 ** view.getUint8(0x174),
    features: { compatible: u32(0x5c), incompatible: u32(0x60), readOnlyCompatible: u32(0x64) },
    unclean: uncleanState(view),
    hashSeed: [u32(0xec), u32(0xf0), u32(0xf4), u32(0xf8)],
    checksumSeed: u32(0x60) & CHECKSUM_SEED ? u32(0x270) : crc32c(CRC32C_START, bytes.subarray(0x68, 0x78)),
  };
}

/** s_state: unmounted cleanly, errors found. */
const STATE = { valid: 0x1, errors: 0x2 } as const;

function uncleanState(view: DataView): string | undefined {
  const state = view.getUint16(0x3a, true);
  if (view.getUint32(0x60, true) & NEEDS_RECOVERY) return "its journal has changes that are not in place yet";
  if ((state & STATE.valid) === 0) return "it was not unmounted";
  if ((state & STATE.errors) !== 0) return "the kernel has found errors in it";
  const hasOrphans = view.getUint32(0xe8, true) !== 0 || (view.getUint32(0x64, true) & ORPHANS_PRESENT) !== 0;
  return hasOrphans ? "it has deleted files that are still to be cleared" : undefined;
}

/** What filling a file system changes in its superblock. */
export interface SuperblockChanges {
  readonly freeBlocks: number;
  readonly freeInodes: number;
}

/**
 * Changes a superblock, or a copy of it, in place. Also clears what depends on the machine that made it: how it hashes,
 * and how much was ever written.
 */
export function changeSuperblock(bytes: Uint8Array, { freeBlocks, freeInodes }: SuperblockChanges): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(0xc, freeBlocks % 2 ** 32, true);
  view.setUint32(0x158, Math.floor(freeBlocks / 2 ** 32), true);
  view.setUint32(0x10, freeInodes, true);
  const flags = view.getUint32(0x160, true);
  view.setUint32(0x160, (flags & ~UNSIGNED_HASH) | SIGNED_HASH, true);
  view.setBigUint64(0x178, 0n, true); // s_kbytes_written
  view.setUint32(CHECKSUM_OFFSET, crc32c(CRC32C_START, bytes.subarray(0, CHECKSUM_OFFSET)), true);
}
