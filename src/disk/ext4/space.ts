/** How large a root file system must be, known before anything is written. */
import { BLOCK_BYTES, BLOCKS_PER_GROUP, rootGeometry } from "../../ext4/index.ts";
import { MINIMUM_ROOT_BYTES } from "../partition-plan.ts";
import type { RootContent } from "../root-file-system.ts";

const MIB = 1024 * 1024;
/** Inodes of the file system itself: numbers 1 to 10, including the root, lost+found, the orphan file. */
const RESERVED_INODES = 12;

/**
 * Whether a root partition of this size, and every larger one, holds the content and leaves the blocks reserved for
 * root free. A file system holds slightly less than one a MiB smaller if a group with a copy of the descriptors begins
 * there; it has caught up before the second next group.
 */
export function rootHolds(partitionBytes: number, content: RootContent): boolean {
  const endBytes = partitionBytes + 2 * BLOCKS_PER_GROUP * BLOCK_BYTES;
  for (let sizeBytes = partitionBytes; sizeBytes <= endBytes; sizeBytes += MIB) {
    const { freeBlocks, reservedBlocks, inodeCount } = rootGeometry(sizeBytes);
    if (freeBlocks - reservedBlocks < content.blocks || inodeCount - RESERVED_INODES < content.inodes) return false;
  }
  return true;
}

/** The smallest size of a root partition, in whole MiB, that holds the content. */
export function rootBytesNeeded(content: RootContent): number {
  let low = MINIMUM_ROOT_BYTES / MIB - 1;
  let high = MINIMUM_ROOT_BYTES / MIB;
  while (!rootHolds(high * MIB, content)) [low, high] = [high, high * 2];
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2);
    if (rootHolds(middle * MIB, content)) high = middle;
    else low = middle;
  }
  return high * MIB;
}
