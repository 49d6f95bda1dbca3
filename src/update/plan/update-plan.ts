/** What an update would do, as a value. It says of each part what is known, and of what is not, why. */
import type { EtcConflict } from "../../deployment/index.ts";
import type { PackageChanges } from "../../packages/index.ts";
import type { TreeChanges } from "../../tree/index.ts";
import type { Standing } from "../open-update.ts";

/** Something that is not known yet, and why. */
export interface Unknown {
  readonly unknown: string;
}

export type Known<Value> = Value | Unknown;

export function isKnown<Value>(value: Known<Value>): value is Exclude<Value, Unknown> {
  return typeof value !== "object" || value === null || !("unknown" in value);
}

/** `exact`: it will be this, to the byte; `at-most`: it will not be more. */
export type Certainty = "exact" | "at-most";

/** Files that are written. */
export interface Room {
  readonly files: number;
  /** Of their contents. */
  readonly bytes: number;
  /** That the file system gives them: whole blocks, and for objects those of fs-verity. */
  readonly allottedBytes: number;
  readonly certainty: Certainty;
}

export interface PlannedLayer {
  readonly digest: string;
  readonly sizeBytes: number;
  /** `present`: nothing; `local`: from a store of this machine; `parts`: what is missing; `whole`: all of it. */
  readonly source: "present" | "local" | "parts" | "whole";
  readonly fetchBytes: number;
  /** Why a layer that has a table of contents is fetched whole. */
  readonly reason?: string;
}

export interface PlannedFetch {
  /** Of layers: what a plan from the registry expects; what one that fetched them has fetched. */
  readonly bytes: number;
  readonly certainty: Certainty;
  /** Of all layers. */
  readonly layersBytes: number;
  readonly layers: readonly PlannedLayer[];
}

export interface PlannedRoot {
  readonly freeBytes: number;
  /** That an update demands before it fetches: the blobs of the layers that are missing, as bootc does. */
  readonly requiredBytes: number;
  /** Objects of the repository. */
  readonly objects: Known<Room>;
  /** The state directory: once staged, and once `/etc` is merged at shutdown. */
  readonly state: Known<{ readonly staged: Room; readonly finalized: Room }>;
}

export interface PlannedFile {
  /** Below the ESP; undefined while the deployment's id is not known. */
  readonly path: string | undefined;
  readonly bytes: number;
}

export interface PlannedEsp {
  readonly freeBytes: number;
  /** That an update demands: what it writes in whole clusters, and some to spare. */
  readonly neededBytes: number;
  /** The UKI and its add-ons, and global add-ons that change; of an image without UKI kernel and initramfs, or nothing where another deployment has the same. */
  readonly bootFiles: readonly PlannedFile[];
  /** Entries of deployments once the update is finalised; undefined before the image is fetched. */
  readonly entries: readonly PlannedFile[] | undefined;
}

/** The packages of one tool. */
export interface PlannedPackages {
  readonly tool: "dpkg" | "rpm";
  readonly changes: Known<PackageChanges>;
}

export interface PlannedEtc {
  readonly conflicts: readonly EtcConflict[];
  /** Changes of this host that the new `/etc` gets. */
  readonly kept: { readonly added: number; readonly modified: number; readonly removed: number };
}

export interface PlannedTpm {
  /** That get other values: 4 (programs that were started), 11 (sections of the UKI) and 12 (arguments of add-ons). */
  readonly changedPcrs: readonly number[];
  /**
   * `same-key`: both UKIs have a signed policy for PCR 11, for one key: what is bound to it is released as before.
   * `other-key`: it is not. `lost`: only the UKI that runs has one; `added`: only the new one.
   */
  readonly signedPolicy: "same-key" | "other-key" | "added" | "lost" | "none";
  /** Volumes that a TPM unlocks: the partition of an encrypted root, and those of crypttab(5). */
  readonly volumes: readonly string[];
}

export interface PlannedBoot {
  readonly kernelArguments: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** Kernel, initramfs or device tree are others. */
  readonly kernelChanges: boolean;
  /** The update can be changed to without the firmware. */
  readonly softReboot: boolean;
  readonly tpm: Known<PlannedTpm>;
}

/** What nothing leads to any more once the update is finalised. */
export interface PlannedGarbage {
  /** Deployments that leave the menu. */
  readonly deployments: readonly string[];
  /** Of files: boot files, state, and objects of the repository. */
  readonly bytes: number;
  readonly bootBytes: number;
  readonly stateBytes: number;
  readonly objects: number;
  readonly objectsBytes: number;
}

export interface PlannedImage {
  readonly deploymentId: string | undefined;
  readonly manifestDigest: string | undefined;
  readonly version: string | undefined;
}

export interface UpdatePlan {
  /** `registry`: nothing of the layers was fetched; `fetched`: the image is in the repository. */
  readonly basis: "registry" | "fetched";
  /** What the host follows once it is updated. */
  readonly image: string;
  /** With another than `new` the host has the image: nothing will be staged. */
  readonly standing: Standing;
  readonly from: PlannedImage;
  readonly to: PlannedImage;
  readonly fetch: PlannedFetch;
  readonly root: PlannedRoot;
  readonly esp: Known<PlannedEsp>;
  readonly packages: Known<readonly PlannedPackages[]>;
  readonly files: Known<TreeChanges>;
  readonly etc: Known<PlannedEtc>;
  readonly boot: Known<PlannedBoot>;
  readonly garbage: Known<PlannedGarbage>;
}
