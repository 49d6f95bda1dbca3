/** How much room a root file system needs, known before anything is written. */
import { statSync } from "node:fs";
import { BLOCK_SIZE_BYTES, ext4VerityOffset } from "../verity/index.ts";
import type { DiskEntry } from "./ext4-entry.ts";

const MIB = 1024 * 1024;
/** inode_size / inode_ratio of `ext4-make.ts`. */
const INODE_TABLE_SHARE = 256 / 16384;
/** mke2fs keeps 5 % for root (mke2fs(8), -m); a disk that fills them at once could not even be updated. */
const RESERVED_SHARE = 0.05;
/** Group descriptors, bitmaps, the orphan file and the reserve for growing. */
const FIXED_BYTES = 12 * MIB;
/** Directory entries average well below this. */
const DIRECTORY_ENTRY_BYTES = 280;

/**
 * Bytes of data blocks the entries take, metadata of verity files included. Looks at each source file once (lstat).
 */
export function populationBytes(entries: readonly DiskEntry[]): number {
  let blocks = 0;
  for (const entry of entries) {
    if (entry.kind === "file") blocks += fileBlocks(entry.source, entry.veritySizeBytes);
    else blocks += 1;
  }
  return blocks * BLOCK_SIZE_BYTES + entries.length * DIRECTORY_ENTRY_BYTES;
}

function fileBlocks(source: string, veritySizeBytes: number | undefined): number {
  const storedBytes = statSync(source).size;
  if (veritySizeBytes === undefined) return Math.ceil(storedBytes / BLOCK_SIZE_BYTES);
  const tailBytes = storedBytes - ext4VerityOffset(veritySizeBytes);
  return Math.ceil(veritySizeBytes / BLOCK_SIZE_BYTES) + Math.ceil(tailBytes / BLOCK_SIZE_BYTES);
}

/**
 * The smallest partition that holds `contentBytes` (of {@link populationBytes}) in `entryCount` inodes with the reserve
 * for root left free.
 */
export function rootBytesNeeded(contentBytes: number, entryCount: number): number {
  const byInodes = entryCount * 16384 * 1.05;
  const share = 1 - INODE_TABLE_SHARE - RESERVED_SHARE;
  let sizeBytes = contentBytes;
  // The journal grows with the file system in a few large steps: a handful of rounds settles it.
  for (let round = 0; round < 8; round++) sizeBytes = (contentBytes + FIXED_BYTES + journalBytes(sizeBytes)) / share;
  return Math.ceil(Math.max(sizeBytes, byInodes));
}

/** ext2fs_default_journal_size of e2fsprogs 1.47, with 4 KiB blocks. */
function journalBytes(fileSystemBytes: number): number {
  const steps: readonly (readonly [belowBytes: number, journalBytes: number])[] = [
    [8 * MIB, 0],
    [128 * MIB, 4 * MIB],
    [1024 * MIB, 16 * MIB],
    [2048 * MIB, 32 * MIB],
    [16 * 1024 * MIB, 64 * MIB],
    [32 * 1024 * MIB, 128 * MIB],
    [64 * 1024 * MIB, 256 * MIB],
    [128 * 1024 * MIB, 512 * MIB],
  ];
  return steps.find(([belowBytes]) => fileSystemBytes < belowBytes)?.[1] ?? 1024 * MIB;
}
