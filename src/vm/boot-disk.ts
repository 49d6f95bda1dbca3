/** Refuses a file that the machine's firmware could not boot, instead of ending in the firmware's shell. */
import { statSync } from "node:fs";
import { PARTITION_TYPE, readDiskPartitions } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";

/**
 * Checks that a disk image has what the x86-64 machine looks for.
 *
 * @throws SealrootError `not-found`; `usage` for a directory; `corrupt` when there is no partition table, `unsupported`
 *   without EFI system partition or with a root only for arm64
 */
export async function checkBootDisk(path: string): Promise<void> {
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
  if (types.has(PARTITION_TYPE.rootArm64) && !types.has(PARTITION_TYPE.rootX8664)) {
    throw new SealrootError("unsupported", `Cannot boot ${path}: its root is for arm64, the machine is x86-64`, {
      path,
      hint: "write it to an arm64 machine",
    });
  }
}
