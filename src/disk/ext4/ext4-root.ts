/** ext4 as a root file system. */
import type { DiskEntry } from "../disk-entry.ts";
import type { ReadAt } from "../gpt.ts";
import type { PlannedPartition } from "../partition-plan.ts";
import type { PlannedRoot, RootFileSystem, RootMakeOptions, RootPlanOptions } from "../root-file-system.ts";
import type { WorkDisk } from "../work-disk.ts";
import { checkExt4 } from "./check.ts";
import { makeExt4 } from "./make.ts";
import { type Ext4Plan, planExt4 } from "./plan.ts";
import { rootBytesNeeded, rootHolds } from "./space.ts";

/** ext4 with fs-verity: the only one that composefs systems use so far (spec/host.md 1.1). */
export const EXT4: RootFileSystem = {
  plan: (entries: readonly DiskEntry[], options: RootPlanOptions) => new Ext4Root(planExt4(entries, options)),
};

class Ext4Root implements PlannedRoot {
  readonly #plan: Ext4Plan;

  constructor(plan: Ext4Plan) {
    this.#plan = plan;
  }

  get blocks(): number {
    return this.#plan.blocks;
  }

  get inodes(): number {
    return this.#plan.inodes;
  }

  get bytesNeeded(): number {
    return rootBytesNeeded(this.#plan);
  }

  get scratchBytes(): number {
    return 0;
  }

  fits(partitionBytes: number): boolean {
    return rootHolds(partitionBytes, this.#plan);
  }

  make(disk: WorkDisk, options: RootMakeOptions): Promise<void> {
    return makeExt4(disk, this.#plan, options);
  }

  check(readAt: ReadAt, partition: PlannedPartition): Promise<void> {
    return checkExt4(readAt, partition, this.#plan);
  }
}
