/** What can be wrong with a host, and how it is said. */
import { oneLine } from "../errors/index.ts";
import type { Finding } from "../repository/index.ts";

/** Kinds of our own; those of the repository keep the names that `repo fsck` gives them. */
export type FaultKind =
  | Finding["kind"]
  | "metadata-verity-missing"
  | "repository-unusable"
  | "image-incomplete"
  | "boot-files-unknown"
  | "boot-file-missing"
  | "boot-file-damaged"
  | "esp-unusable"
  | "entry-unusable"
  | "entry-missing"
  | "entry-without-state"
  | "origin-unusable"
  | "origin-boot-digest"
  | "state-damaged"
  | "loader-missing"
  | "loader-damaged";

/** Something that is wrong, as data. */
export interface Fault {
  readonly kind: FaultKind;
  /** Where: a path below the physical root, or `ESP:` and one on the ESP. */
  readonly subject: string;
  readonly detail: string | undefined;
  /** The deployments that it concerns; none for what belongs to no deployment that is kept. */
  readonly deployments: readonly string[];
  /** Repair knows how to mend it, given that what must be fetched can be. */
  readonly repairable: boolean;
}

/** A fault of something outside the repository, with the way to mend it as far as that is known now. */
export interface MendableFault extends Fault {
  readonly mend: (() => void | Promise<void>) | undefined;
}

/** `kind: subject: detail` */
export function faultText({ kind, subject, detail }: Fault): string {
  return oneLine(detail === undefined ? `${kind}: ${subject}` : `${kind}: ${subject}: ${detail}`);
}

/** How a path on the ESP is called. */
export function onEsp(path: string): string {
  return `ESP:/${path.replace(/^\/+/, "")}`;
}
