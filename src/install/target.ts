/** Where an installation goes, once it is checked. */
import type { WorkDisk } from "../disk/index.ts";
import type { Place } from "../platform/index.ts";

/** What the user says about the target. */
export interface TargetOptions {
  /** As the user wrote it. */
  readonly target: string;
  /** Size of a new disk file; that of the existing file if absent. A device has its own. */
  readonly sizeBytes?: number;
  /** Whether what is there may be destroyed. */
  readonly wipe: boolean;
}

interface CheckedTarget {
  /** Absolute and free of symbolic links. */
  readonly path: string;
  readonly sizeBytes: number;
  /** What the user may not expect, one sentence each. */
  readonly warnings: readonly string[];
}

/** A disk file to be made, in the place of an existing one that the user allowed to be replaced. */
export interface FileTarget extends CheckedTarget {
  readonly kind: "file";
  readonly place: Place;
}

/** A block device, what is on it may be destroyed. */
export interface DeviceTarget extends CheckedTarget {
  readonly kind: "device";
}

/** A target that may be written. */
export type DiskTarget = FileTarget | DeviceTarget;

/** A disk in the making. Disposing of it removes what is unfinished. */
export interface DiskUnderConstruction extends Disposable {
  readonly disk: WorkDisk;
  /** Makes the finished disk known, durably. @throws SealrootError `exists` when a file has appeared in its place */
  publish(): Promise<void>;
}
