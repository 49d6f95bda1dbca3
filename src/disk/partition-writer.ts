/** Writes a partition plan to a disk with sfdisk(8). */
import { runDiskTool } from "./disk-tool.ts";
import { type PartitionPlan, type PlannedPartition, SECTOR_BYTES } from "./partition-plan.ts";
import type { WorkDisk } from "./work-disk.ts";

const TIMEOUT_MS = 120_000;

/**
 * Writes the GUID partition table. The disk must have the plan's size.
 *
 * @throws SealrootError `missing-tool`, `failed`
 */
export async function writePartitionTable(disk: WorkDisk, plan: PartitionPlan): Promise<void> {
  const args = ["--quiet", "--wipe=always", "--no-reread", "--no-tell-kernel", disk.path];
  await runDiskTool(disk, "sfdisk", args, { input: partitionScript(plan), timeoutMs: TIMEOUT_MS });
}

/** The plan in the script language of sfdisk(8), "Input formats". */
function partitionScript(plan: PartitionPlan): string {
  const header = ["label: gpt", `label-id: ${plan.diskGuid}`, "unit: sectors", "first-lba: 2048"];
  return `${[...header, ...plan.partitions.map(partitionLine)].join("\n")}\n`;
}

/** sfdisk accepts `bootable` for GUID tables too, and ignores it (seen with 2.38): the attribute has its own name there. */
function partitionLine(partition: PlannedPartition): string {
  const fields = [
    `start=${partition.startBytes / SECTOR_BYTES}`,
    `size=${partition.sizeBytes / SECTOR_BYTES}`,
    `type=${partition.typeGuid}`,
    `uuid=${partition.guid}`,
    `name="${partition.name}"`,
  ];
  return [...fields, ...(partition.bootable ? [`attrs="LegacyBIOSBootable"`] : [])].join(", ");
}
