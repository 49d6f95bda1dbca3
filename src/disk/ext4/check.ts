/** Compares the root file system of a finished disk with its plan. e2fsck has checked its inside. */
import {
  BLOCK_BYTES,
  INODE_BYTES,
  readSuperblock,
  rootFeatures,
  rootGeometry,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
} from "../../ext4/index.ts";
import { expectPlanned, otherThanPlanned } from "../expect-planned.ts";
import type { ReadAt } from "../gpt.ts";
import type { PlannedPartition } from "../partition-plan.ts";
import type { RootContent } from "../root-file-system.ts";

/**
 * @param content its limit for free blocks taken
 * @throws SealrootError `corrupt` naming the first difference
 */
export async function checkExt4(readAt: ReadAt, root: PlannedPartition, content: RootContent): Promise<void> {
  const name = "the root file system";
  const planned = rootGeometry(root.sizeBytes);
  const found = readSuperblock(await readAt(root.startBytes + SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES));
  expectPlanned(name, "block size", BLOCK_BYTES, found.blockBytes);
  expectPlanned(name, "number of blocks", planned.blockCount, found.blockCount);
  expectPlanned(name, "number of reserved blocks", planned.reservedBlocks, found.reservedBlocks);
  expectPlanned(name, "inode size", INODE_BYTES, found.inodeBytes);
  expectPlanned(name, "number of inodes", planned.inodeCount, found.inodeCount);
  const features = rootFeatures(planned.keepsRoomForGrowing);
  expectPlanned(name, "compatible features", features.compatible, found.features.compatible);
  expectPlanned(name, "incompatible features", features.incompatible, found.features.incompatible);
  expectPlanned(name, "read-only features", features.readOnlyCompatible, found.features.readOnlyCompatible);
  const leastFree = planned.freeBlocks - content.blocks;
  if (found.freeBlocks >= leastFree) return;
  throw otherThanPlanned(name, "number of free blocks", `at least ${leastFree}`, found.freeBlocks);
}
