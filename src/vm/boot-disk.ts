/** Refuses a file that the machine's firmware could not boot, instead of ending in the firmware's shell. */
import { statSync } from "node:fs";
import type { ArchitectureName } from "../bootimage/index.ts";
import { PARTITION_TYPE, readDiskPartitions } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";

/**
 * Checks that a disk image has what firmware looks for.
 *
 * @returns the architecture of the machine that boots it: that of its root, amd64 for one that has both or neither
 * @throws SealrootError `not-found`; `usage` for a directory; `corrupt` when there is no partition table, `unsupported`
 *   without EFI system partition
 */
export async function checkBootDisk(path: string): Promise<ArchitectureName> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new SealrootError("not-found", `Cannot boot ${path}: there is no such file`, { path });
  }
  if (stats.isDirectory()) {
    throw new SealrootError("usage", `Cannot boot ${path}: it is a directory, not a disk image`, {
      path,
      hint: "sealroot install to-disk makes a disk image from a sealed image",
    });
  }
  const types = new Set((await readDiskPartitions(path)).partitions.map((partition) => partition.typeGuid));
  if (!types.has(PARTITION_TYPE.efiSystem)) {
    throw new SealrootError("unsupported", `Cannot boot ${path}: it has no EFI system partition`, { path });
  }
  return types.has(PARTITION_TYPE.rootArm64) && !types.has(PARTITION_TYPE.rootX8664) ? "arm64" : "amd64";
}
