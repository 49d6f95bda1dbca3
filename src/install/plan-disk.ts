/** Whether an image fits on a disk, and where the disk's partitions are: decided before anything is written to it. */
import { dirname } from "node:path";
import type { ArchitectureName } from "../bootimage/index.ts";
import {
  checkEspFits,
  diskSizeForRoot,
  type EspOptions,
  inMib,
  type PartitionPlan,
  type PlannedRoot,
  planPartitions,
} from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import { largeFileDirectory } from "../platform/index.ts";
import { BLOCK_SIZE_BYTES } from "../verity/index.ts";
import { checkFreeSpace } from "./open-target.ts";
import type { DiskTarget } from "./target.ts";

/** Sizes that the user may choose. */
export interface PartitionSizes {
  readonly rootSizeBytes?: number;
  readonly espSizeBytes?: number;
}

/** What is put on the disk. */
export interface PlannedContent {
  readonly architecture: ArchitectureName;
  /** All GUIDs follow from it. */
  readonly seed: string;
  readonly content: PlannedRoot;
  /** What goes into the ESP. */
  readonly esp: Pick<EspOptions, "files" | "directories">;
}

const MIB = 1024 * 1024;

/** Partitions are whole mebibytes; says so if the user wanted another size. */
export function reportRootSize({ rootSizeBytes }: PartitionSizes, reporter: StepReporter): void {
  if (rootSizeBytes === undefined || rootSizeBytes % MIB === 0) return;
  const sizeMib = Math.floor(rootSizeBytes / MIB);
  reporter.warn(
    `The root partition gets ${sizeMib} MiB: its size of ${rootSizeBytes} bytes is rounded down to whole MiB`,
  );
}

/** A disk file is whole mebibytes, like its partitions; a device has its own size. */
export function roundDown(target: DiskTarget, reporter: StepReporter): DiskTarget {
  const sizeBytes = target.kind === "file" ? Math.floor(target.sizeBytes / MIB) * MIB : target.sizeBytes;
  if (sizeBytes === target.sizeBytes) return target;
  reporter.warn(
    `The disk gets ${inMib(sizeBytes)}: its size of ${target.sizeBytes} bytes is rounded down to whole MiB`,
  );
  return { ...target, sizeBytes };
}

/**
 * Lays out the disk for this content.
 *
 * @throws SealrootError `no-space` when a partition is too small for it (for the root, the hint has the size that
 *   fits), or the file system of a disk file is
 */
export function planDisk(target: DiskTarget, sizes: PartitionSizes, planned: PlannedContent): PartitionPlan {
  const { content, architecture, seed, esp } = planned;
  const plan = planPartitions({ ...sizeOptions(target, sizes), architecture, seed });
  if (!content.fits(plan.root.sizeBytes)) throw tooSmall(plan, target, sizes, content);
  checkEspFits({ ...esp, partition: plan.esp });
  const { scratchBytes } = content;
  if (target.kind === "file") {
    checkFreeSpace(dirname(target.path), content.blocks * BLOCK_SIZE_BYTES + scratchBytes, "the disk");
  } else if (scratchBytes > 0) checkFreeSpace(largeFileDirectory(), scratchBytes, "the root before it is encrypted");
  return plan;
}

/** What the partitions must hold. */
export function sizeOptions(target: DiskTarget, sizes: PartitionSizes) {
  return {
    diskSizeBytes: target.sizeBytes,
    sizeIsFixed: target.kind === "device",
    ...(sizes.espSizeBytes === undefined ? {} : { espSizeBytes: sizes.espSizeBytes }),
    ...(sizes.rootSizeBytes === undefined ? {} : { rootSizeBytes: sizes.rootSizeBytes }),
  };
}

function tooSmall(plan: PartitionPlan, target: DiskTarget, sizes: PartitionSizes, content: PlannedRoot): SealrootError {
  const neededBytes = content.bytesNeeded;
  const diskBytes = diskSizeForRoot(plan, neededBytes);
  const hints = [
    ...(sizes.rootSizeBytes === undefined ? [] : [`--root-size ${neededBytes / MIB}`]),
    ...(diskBytes > target.sizeBytes && target.kind === "file" ? [`--size ${diskBytes / MIB}M`] : []),
  ];
  const hint = hints.length > 0 ? `give at least ${hints.join(" and ")}` : `use a disk of at least ${inMib(diskBytes)}`;
  const contentSize = inMib(content.blocks * BLOCK_SIZE_BYTES);
  return new SealrootError(
    "no-space",
    `Cannot install the image: the root partition (${inMib(plan.root.sizeBytes)}) is too small for ${contentSize} in ${content.inodes} files, which need ${inMib(neededBytes)}`,
    { path: target.path, expected: String(neededBytes), actual: String(plan.root.sizeBytes), hint },
  );
}
