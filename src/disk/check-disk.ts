/** Reads a finished disk back and compares it with what was meant to be written. */
import { resolve } from "node:path";
import { corrupt, type SealrootError } from "../errors/index.ts";
import {
  BLOCK_BYTES,
  INODE_BYTES,
  readSuperblock,
  rootFeatures,
  rootGeometry,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
} from "../ext4/index.ts";
import { type EspFile, readEspFile } from "./fat.ts";
import { BOOT_SECTOR_BYTES, espClusterBytes, readFatGeometry } from "./fat-geometry.ts";
import { type ReadAt, readPartitionTable } from "./gpt.ts";
import { withDisk } from "./open-disk.ts";
import type { PartitionPlan, PlannedPartition } from "./partition-plan.ts";
import type { WorkDisk } from "./work-disk.ts";

/** What a disk should hold. */
export interface DiskContent {
  readonly espFiles: readonly EspFile[];
  /** Blocks of the root file system that its content may take at most. */
  readonly rootContentBlocks: number;
}

/**
 * Compares the partition table, the sizes and kinds of both file systems, and every file of the ESP. The inside of the
 * root file system was looked at by e2fsck.
 *
 * @throws SealrootError `corrupt` naming the first difference
 */
export async function checkDisk(disk: WorkDisk, plan: PartitionPlan, content: DiskContent): Promise<void> {
  await withDisk(resolve(disk.directory, disk.path), async (readAt) => {
    await checkTable(readAt, plan);
    await checkEsp(readAt, plan.esp);
    await checkRoot(readAt, plan.root, content.rootContentBlocks);
  });
  for (const { path, bytes } of content.espFiles) {
    const read = await readEspFile(disk, plan.esp.startBytes, path);
    if (Buffer.compare(read, bytes) !== 0)
      throw corrupt(`Cannot accept the disk: ${path} in the ESP differs`, { path });
  }
}

async function checkTable(readAt: ReadAt, plan: PartitionPlan): Promise<void> {
  const table = await readPartitionTable(readAt);
  const found = table.partitions.map((partition) => describe(partition)).join("; ");
  const expected = plan.partitions.map((partition) => describe(partition)).join("; ");
  if (found !== expected || table.diskGuid !== plan.diskGuid) {
    throw corrupt("Cannot accept the disk: its partition table is not what was written", { expected, actual: found });
  }
}

function describe(partition: { name: string; typeGuid: string; guid: string; startBytes: number; sizeBytes: number }) {
  const { name, typeGuid, guid, startBytes, sizeBytes } = partition;
  return `${name} ${typeGuid} ${guid} ${startBytes}+${sizeBytes}`;
}

async function checkEsp(readAt: ReadAt, esp: PlannedPartition): Promise<void> {
  const found = readFatGeometry(await readAt(esp.startBytes, BOOT_SECTOR_BYTES));
  expectSame("the ESP", "kind of FAT", "FAT32", found.type);
  expectSame("the ESP", "size", esp.sizeBytes, found.sizeBytes);
  expectSame("the ESP", "cluster size", espClusterBytes(esp.sizeBytes), found.clusterBytes);
}

async function checkRoot(readAt: ReadAt, root: PlannedPartition, contentBlocks: number): Promise<void> {
  const name = "the root file system";
  const planned = rootGeometry(root.sizeBytes);
  const found = readSuperblock(await readAt(root.startBytes + SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES));
  expectSame(name, "block size", BLOCK_BYTES, found.blockBytes);
  expectSame(name, "number of blocks", planned.blockCount, found.blockCount);
  expectSame(name, "number of reserved blocks", planned.reservedBlocks, found.reservedBlocks);
  expectSame(name, "inode size", INODE_BYTES, found.inodeBytes);
  expectSame(name, "number of inodes", planned.inodeCount, found.inodeCount);
  const features = rootFeatures(planned.keepsRoomForGrowing);
  expectSame(name, "compatible features", features.compatible, found.features.compatible);
  expectSame(name, "incompatible features", features.incompatible, found.features.incompatible);
  expectSame(name, "read-only features", features.readOnlyCompatible, found.features.readOnlyCompatible);
  const leastFree = planned.freeBlocks - contentBlocks;
  if (found.freeBlocks < leastFree)
    throw different(name, "number of free blocks", `at least ${leastFree}`, found.freeBlocks);
}

function expectSame<T extends string | number>(where: string, what: string, expected: T, actual: T): void {
  if (actual !== expected) throw different(where, what, expected, actual);
}

function different(where: string, what: string, expected: string | number, actual: string | number): SealrootError {
  const data = { expected: String(expected), actual: String(actual) };
  return corrupt(`Cannot accept the disk: the ${what} of ${where} is ${actual}, planned was ${expected}`, data);
}
