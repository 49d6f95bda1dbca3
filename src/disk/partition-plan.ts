/** Where the partitions of a new disk are. Sizes and names are from spec/host.md 1.1. */
import { ARCHITECTURES, type ArchitectureName } from "../bootimage/index.ts";
import { SealrootError } from "../errors/index.ts";
import { deriveGuid } from "./guid.ts";
import { PARTITION_TYPE } from "./partition-types.ts";

export const SECTOR_BYTES = 512;
const MIB = 1024 * 1024;
/** Partitions begin and end on multiples of this. */
const ALIGNMENT_BYTES = MIB;
/** The mirrored table: 32 sectors of entries and the header (UEFI 2.10, 5.3). */
const BACKUP_TABLE_BYTES = 33 * SECTOR_BYTES;
const BIOS_BOOT_BYTES = MIB;

/** Size of the ESP for composefs systems (spec/host.md 1.1): room for several UKIs. */
const DEFAULT_ESP_BYTES = 1024 * MIB;
/** Below this many bytes FAT32 has too few clusters (spec/boot-chain.md B). */
const MINIMUM_ESP_BYTES = 64 * MIB;
/** A root file system below this has no room for its own tables and journal. */
export const MINIMUM_ROOT_BYTES = 64 * MIB;

/** One partition of the plan; `end` is exclusive. */
export interface PlannedPartition {
  /** Name in the table, found later as /dev/disk/by-partlabel/NAME. */
  readonly name: "BIOS-BOOT" | "EFI-SYSTEM" | "root";
  readonly typeGuid: string;
  readonly guid: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** Sets the "legacy BIOS bootable" attribute. */
  readonly bootable: boolean;
}

export interface PartitionPlan {
  readonly diskGuid: string;
  readonly diskSizeBytes: number;
  readonly partitions: readonly PlannedPartition[];
  readonly esp: PlannedPartition;
  readonly root: PlannedPartition;
}

export interface PartitionSizeOptions {
  readonly diskSizeBytes: number;
  /** True for a device, whose size is not chosen. */
  readonly sizeIsFixed?: boolean;
  readonly espSizeBytes?: number;
  /** Size of the root partition; the rest of the disk if absent. */
  readonly rootSizeBytes?: number;
}

export interface PartitionPlanOptions extends PartitionSizeOptions {
  readonly architecture: ArchitectureName;
  /** All GUIDs follow from this text. */
  readonly seed: string;
}

/**
 * Checks that the partitions fit, on a disk of any architecture: amd64 has one more, of 1 MiB.
 * @throws SealrootError as {@link planPartitions}
 */
export function checkPartitionSizes(options: PartitionSizeOptions): void {
  placePartitions(options, true);
}

/** Where the partitions that every disk has are. */
function placePartitions(options: PartitionSizeOptions, hasBiosBoot: boolean) {
  const espSizeBytes = alignDown(options.espSizeBytes ?? DEFAULT_ESP_BYTES);
  if (espSizeBytes < MINIMUM_ESP_BYTES) {
    throw new SealrootError("usage", `Cannot make an ESP of ${espSizeBytes} bytes: FAT32 needs ${MINIMUM_ESP_BYTES}`);
  }
  const espStartBytes = ALIGNMENT_BYTES + (hasBiosBoot ? BIOS_BOOT_BYTES : 0);
  const rootStartBytes = espStartBytes + espSizeBytes;
  const usableEndBytes = alignDown(options.diskSizeBytes - BACKUP_TABLE_BYTES);
  const rootSizeBytes =
    options.rootSizeBytes === undefined ? usableEndBytes - rootStartBytes : alignDown(options.rootSizeBytes);
  if (rootSizeBytes < MINIMUM_ROOT_BYTES || rootStartBytes + rootSizeBytes > usableEndBytes) {
    throw tooSmall(options, rootStartBytes + Math.max(rootSizeBytes, MINIMUM_ROOT_BYTES));
  }
  return { espStartBytes, espSizeBytes, rootStartBytes, rootSizeBytes };
}

/**
 * Lays out a disk: BIOS-BOOT (x86-64 only), EFI-SYSTEM, root.
 *
 * @throws SealrootError `no-space` when the disk is too small, with the smallest size that fits in the hint; `usage`
 *   for an ESP below {@link MINIMUM_ESP_BYTES}
 */
export function planPartitions(options: PartitionPlanOptions): PartitionPlan {
  const hasBiosBoot = options.architecture === "amd64";
  const { espStartBytes, espSizeBytes, rootStartBytes, rootSizeBytes } = placePartitions(options, hasBiosBoot);
  const partition = (name: PlannedPartition["name"], typeGuid: string, startBytes: number, sizeBytes: number) => ({
    name,
    typeGuid,
    guid: deriveGuid(options.seed, `partition ${name}`),
    startBytes,
    sizeBytes,
    bootable: name === "BIOS-BOOT",
  });
  const esp = partition("EFI-SYSTEM", PARTITION_TYPE.efiSystem, espStartBytes, espSizeBytes);
  const root = partition("root", ARCHITECTURES[options.architecture].rootPartitionType, rootStartBytes, rootSizeBytes);
  const biosBoot = partition("BIOS-BOOT", PARTITION_TYPE.biosBoot, ALIGNMENT_BYTES, BIOS_BOOT_BYTES);
  return {
    diskGuid: deriveGuid(options.seed, "disk"),
    diskSizeBytes: options.diskSizeBytes,
    partitions: hasBiosBoot ? [biosBoot, esp, root] : [esp, root],
    esp,
    root,
  };
}

/** The smallest disk with a root partition of `rootSizeBytes` under this plan. */
export function diskSizeForRoot(plan: PartitionPlan, rootSizeBytes: number): number {
  return alignUpMib(plan.root.startBytes + rootSizeBytes) + ALIGNMENT_BYTES;
}

/** Bytes as whole mebibytes, rounded up, for messages: `1234 MiB`. */
export function inMib(sizeBytes: number): string {
  return `${Math.ceil(sizeBytes / MIB)} MiB`;
}

function tooSmall(options: PartitionSizeOptions, rootEndBytes: number): SealrootError {
  const neededBytes = alignUpMib(rootEndBytes) + ALIGNMENT_BYTES;
  return new SealrootError(
    "no-space",
    `Cannot partition the disk: ${inMib(neededBytes)} needed, the disk has ${inMib(options.diskSizeBytes)}`,
    {
      expected: String(neededBytes),
      actual: String(options.diskSizeBytes),
      hint:
        options.sizeIsFixed === true
          ? `use a disk of at least ${inMib(neededBytes)}`
          : `give at least --size ${neededBytes / MIB}M`,
    },
  );
}

function alignDown(sizeBytes: number): number {
  return Math.floor(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

function alignUpMib(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
