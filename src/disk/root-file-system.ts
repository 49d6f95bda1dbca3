/** The shape of a root file system: planned to the block before anything is written, then made, then checked. */
import type { ByteString } from "../bytes/index.ts";
import type { DiskEntry } from "./disk-entry.ts";
import type { ReadAt } from "./gpt.ts";
import type { PlannedPartition } from "./partition-plan.ts";
import type { WorkDisk } from "./work-disk.ts";

/** How much of a root file system the content takes. */
export interface RootContent {
  readonly blocks: number;
  readonly inodes: number;
}

export interface RootPlanOptions {
  /** Seed of the directories' hashes, a UUID: needed for equal inputs to give equal bytes. */
  readonly hashSeed: string;
  /** Length of the bytes that an entry's source holds. */
  readonly sizeOf: (entry: DiskEntry & { kind: "file" }) => number;
  /** An entry's name in errors. */
  readonly nameOf?: (path: ByteString) => ByteString;
}

/** Where a root file system is made, and its name. */
export interface RootMakeOptions {
  /** Where the file system is in the disk. */
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** Unwritten parts of the disk read as zeros: true for a new file, not for a device. */
  readonly diskIsZeroed: boolean;
  /** The disk is one, but what is not written will be read as something else: it becomes an encrypted volume. False if absent. */
  readonly contentIsUnknown?: boolean;
  readonly uuid: string;
  readonly label: string;
  /** The disk's time, seconds since 1970, at least 1. */
  readonly epochSeconds: number;
  /** Called with the number of inodes written so far. */
  readonly onProgress?: (done: number) => void;
}

/** A root file system with its content, before it is on a disk. */
export interface PlannedRoot extends RootContent {
  /** The smallest size of a root partition, in whole MiB, that holds the content. */
  readonly bytesNeeded: number;
  /** What it takes beside the disk while it is made. */
  readonly scratchBytes: number;
  /** Whether a partition of this size, and every larger one, holds the content. */
  fits(partitionBytes: number): boolean;
  /**
   * Makes and fills the file system, then runs its own checker.
   *
   * @throws SealrootError `missing-tool`; `failed` when a tool complains; `no-space`; `corrupt` when the checker finds
   *   anything
   */
  make(disk: WorkDisk, options: RootMakeOptions): Promise<void>;
  /**
   * Compares what a finished disk says about the file system with what was planned.
   * @throws SealrootError `corrupt` naming the first difference
   */
  check(readAt: ReadAt, partition: PlannedPartition): Promise<void>;
}

/** A kind of root file system. */
export interface RootFileSystem {
  /**
   * Plans a file system. Only here is anything refused that it cannot hold.
   *
   * @param entries parents before children, the root directory first
   * @throws SealrootError `unsupported` naming the first entry that cannot be kept, and why
   */
  plan(entries: readonly DiskEntry[], options: RootPlanOptions): PlannedRoot;
}
