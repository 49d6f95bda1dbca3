/** Where an installation goes, once it is checked. */
import type { WorkDisk } from "../disk/index.ts";

/** What the user says about the target. */
export interface TargetOptions {
  /** As the user wrote it. */
  readonly target: string;
  /** Size of a new disk file; that of the existing file when absent. A device has its own. */
  readonly sizeBytes?: number;
  /** Whether what is there may be destroyed. */
  readonly wipe: boolean;
}

/** A target that may be written. */
export interface DiskTarget {
  readonly kind: "file" | "device";
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Something is there that the user allowed to be destroyed. */
  readonly replaces: boolean;
}

/** A disk in the making. Disposing of it removes what is unfinished. */
export interface DiskUnderConstruction extends Disposable {
  readonly disk: WorkDisk;
  /** Makes the finished disk known, durably. @throws SealrootError `exists` when a file has appeared in its place */
  publish(): Promise<void>;
}
