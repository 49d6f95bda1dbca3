/** What a verification found. */
import { allLinks, type Finding, type Link, type LinkState, worst } from "./link.ts";

/** Something that is loaded at boot though nobody signed it. */
export interface UnsignedInput {
  /** Where it is, or comes from. */
  readonly source: string;
  readonly kind: "credential" | "extension" | "add-on" | "entry options" | "loader settings" | "machine tables";
  /** What it could change on this system; beginning with `nothing` when it has no effect. */
  readonly effect: string;
}

/** Something on the ESP that is no part of the chain. */
export interface ForeignFile {
  readonly path: string;
  readonly kind: "entry" | "program" | "file";
  /** What it can do there. */
  readonly note: string;
}

/** What is verified; `evidence` is a file that somebody made of one of the others. */
export type TargetKind = (typeof TARGET_KINDS)[number] | "evidence";

export const TARGET_KINDS = ["disk", "image", "UKI", "EFI program", "booted system"] as const;

export interface VerifyReport {
  readonly target: string;
  readonly kind: TargetKind;
  /** The worst state of all links. */
  readonly state: LinkState;
  readonly links: readonly Link[];
  readonly unsigned: readonly UnsignedInput[];
  readonly foreign: readonly ForeignFile[];
  /** What was read and hashed. */
  readonly hashed: { readonly objects: number; readonly bytes: number };
}

/** The first link that does not hold. */
export interface BrokenLink {
  readonly link: Link;
  readonly finding: Finding;
}

export function stateOf(links: readonly Link[]): LinkState {
  return worst([...allLinks(links)].map(({ state }) => state));
}

/** @returns undefined when every link holds */
export function firstBroken(links: readonly Link[]): BrokenLink | undefined {
  for (const link of allLinks(links)) {
    const finding = link.findings.find(({ state }) => state === "broken");
    if (finding !== undefined) return { link, finding };
  }
  return undefined;
}
