/** Reads a finished disk back and compares it with what was meant to be written. */
import { resolve } from "node:path";
import { corrupt } from "../errors/index.ts";
import { type EspFile, readEspFile } from "./fat.ts";
import { readDiskPartitions } from "./open-disk.ts";
import type { PartitionPlan } from "./partition-plan.ts";
import type { WorkDisk } from "./work-disk.ts";

/**
 * Compares the partition table and every file of the ESP. The root file system was looked at by e2fsck.
 * @throws SealrootError `corrupt` naming the first difference
 */
export async function checkDisk(disk: WorkDisk, plan: PartitionPlan, espFiles: readonly EspFile[]): Promise<void> {
  const table = await readDiskPartitions(resolve(disk.directory, disk.path));
  const found = table.partitions.map((partition) => describe(partition)).join("; ");
  const expected = plan.partitions.map((partition) => describe(partition)).join("; ");
  if (found !== expected || table.diskGuid !== plan.diskGuid) {
    throw corrupt("Cannot accept the disk: its partition table is not what was written", { expected, actual: found });
  }
  for (const { path, bytes } of espFiles) {
    const read = await readEspFile(disk, plan.esp.startBytes, path);
    if (Buffer.compare(read, bytes) !== 0)
      throw corrupt(`Cannot accept the disk: ${path} in the ESP differs`, { path });
  }
}

function describe(partition: { name: string; typeGuid: string; guid: string; startBytes: number; sizeBytes: number }) {
  const { name, typeGuid, guid, startBytes, sizeBytes } = partition;
  return `${name} ${typeGuid} ${guid} ${startBytes}+${sizeBytes}`;
}
