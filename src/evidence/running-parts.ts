/** What only the system that runs can say: the keys of its firmware and the disk that it runs from. */
import { statSync } from "node:fs";
import { type PartitionTable, readDiskPartitions } from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import { disksOfDevice, firmwareVariables, type HostPlaces } from "../host/index.ts";
import { deviceNumberText } from "../platform/index.ts";
import type { RunningParts } from "./collect.ts";

/** @throws SealrootError for variables or a disk that cannot be read */
export async function runningParts({ efiVariables, physicalRoot }: HostPlaces): Promise<RunningParts> {
  return {
    firmware: efiVariables === undefined ? undefined : firmwareVariables(efiVariables),
    disk: await diskOf(deviceNumberText(statSync(physicalRoot).dev)),
  };
}

/** Undefined for several disks, and for one without a partition table. */
async function diskOf(device: string): Promise<PartitionTable | undefined> {
  const [disk, ...others] = disksOfDevice(device);
  if (disk === undefined || others.length > 0) return undefined;
  try {
    return await readDiskPartitions(disk);
  } catch (error) {
    if (error instanceof SealrootError && error.code === "not-found") return undefined;
    throw error;
  }
}
