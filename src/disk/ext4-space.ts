/** How much room a root file system needs, known before anything is written. */
import { statSync } from "node:fs";
import { BLOCK_SIZE_BYTES, ext4VerityOffset } from "../verity/index.ts";
import type { DiskEntry } from "./ext4-entry.ts";
import { BLOCKS_PER_GROUP, rootGeometry } from "./ext4-geometry.ts";
import { MINIMUM_ROOT_BYTES } from "./partition-plan.ts";

const MIB = 1024 * 1024;
/** Files of the file system itself that take inodes: numbers 1 to 10, lost+found, the orphan file. */
const RESERVED_INODES = 12;
/** Directory entries average well below this. */
const DIRECTORY_ENTRY_BYTES = 280;

/** What the entries take, metadata of verity files included. Looks at each source file once. */
export function rootContent(entries: readonly DiskEntry[]): RootContent {
  let blocks = 0;
  for (const entry of entries) {
    if (entry.kind === "file") blocks += fileBlocks(entry.source, entry.veritySizeBytes);
    else blocks += 1;
  }
  const nameBlocks = Math.ceil((entries.length * DIRECTORY_ENTRY_BYTES) / BLOCK_SIZE_BYTES);
  return { blocks: blocks + nameBlocks, inodes: entries.filter(({ kind }) => kind !== "hard-link").length };
}

function fileBlocks(source: string, veritySizeBytes: number | undefined): number {
  const storedBytes = statSync(source).size;
  if (veritySizeBytes === undefined) return Math.ceil(storedBytes / BLOCK_SIZE_BYTES);
  const tailBytes = storedBytes - ext4VerityOffset(veritySizeBytes);
  return Math.ceil(veritySizeBytes / BLOCK_SIZE_BYTES) + Math.ceil(tailBytes / BLOCK_SIZE_BYTES);
}

/** What content takes of a root file system. */
export interface RootContent {
  readonly blocks: number;
  readonly inodes: number;
}

/**
 * Whether a root partition of this size, and every larger one, holds the content and leaves the blocks reserved for root
 * free. A file system holds a little less than one a MiB smaller where a group begins that has a copy of the descriptors;
 * it has caught up before the next group but one.
 */
export function rootHolds(partitionBytes: number, content: RootContent): boolean {
  const endBytes = partitionBytes + 2 * BLOCKS_PER_GROUP * BLOCK_SIZE_BYTES;
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
