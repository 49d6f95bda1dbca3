/** Reads a finished disk back and compares it with what should have been written. */
import { resolve } from "node:path";
import { corrupt } from "../errors/index.ts";
import { expectPlanned } from "./expect-planned.ts";
import { type EspFile, readEspFile } from "./fat.ts";
import { BOOT_SECTOR_BYTES, espClusterBytes, readFatGeometry } from "./fat-geometry.ts";
import { type ReadAt, readPartitionTable } from "./gpt.ts";
import { withDisk } from "./open-disk.ts";
import type { PartitionPlan, PlannedPartition } from "./partition-plan.ts";
import type { PlannedRoot } from "./root-file-system.ts";
import type { WorkDisk } from "./work-disk.ts";

/** What a disk should hold. */
export interface DiskContent {
  readonly espFiles: readonly EspFile[];
  readonly root: PlannedRoot;
}

/**
 * Compares the partition table, the sizes and kinds of both file systems, and every file of the ESP. e2fsck has checked
 * the inside of the root file system.
 *
 * @throws SealrootError `corrupt` naming the first difference
 */
export async function checkDisk(disk: WorkDisk, plan: PartitionPlan, content: DiskContent): Promise<void> {
  await withDisk(resolve(disk.directory, disk.path), async (readAt) => {
    await checkTable(readAt, plan);
    await checkEsp(readAt, plan.esp);
    await content.root.check(readAt, plan.root);
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
  expectPlanned("the ESP", "kind of FAT", "FAT32", found.type);
  expectPlanned("the ESP", "size", esp.sizeBytes, found.sizeBytes);
  expectPlanned("the ESP", "cluster size", espClusterBytes(esp.sizeBytes), found.clusterBytes);
}
