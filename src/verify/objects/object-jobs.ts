/** The work of worker threads: hashing objects of a disk. */
import { readRootPartition } from "../../disk/index.ts";
import type { Jobs } from "../../platform/index.ts";
import { checkVerityFile, type ObjectVerdict } from "./verity-file.ts";

/** The root file system of an open disk. Threads of one process share its descriptors. */
export interface RootPlace {
  readonly fd: number;
  readonly partition: { readonly startBytes: number; readonly sizeBytes: number; readonly name: string };
}

export interface CheckInput {
  readonly place: RootPlace;
  readonly objects: readonly { readonly inode: number; readonly id: string }[];
}

/** @returns a verdict for each, in order */
export function checkVerityFiles({ place, objects }: CheckInput): ObjectVerdict[] {
  const reader = readRootPartition(place.fd, place.partition);
  return objects.map(({ inode, id }) => checkVerityFile(reader, inode, id));
}

export const verifyJobs = { "check-verity-files": checkVerityFiles } as const satisfies Jobs;

export type VerifyJobs = typeof verifyJobs;
