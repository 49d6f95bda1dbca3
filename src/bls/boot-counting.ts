/** Boot counting in the names of entries (Automatic Boot Assessment, systemd; spec/boot-chain.md I.2). */

/** Tries our tools give a new entry (`+3` in its name). */
export const BOOT_TRIES = 3;

/** How many tries an entry has. */
export interface BootCount {
  /** Tries left; 0 means exhausted, and the entry sorts last. */
  readonly left: number;
  /** Failed tries so far. */
  readonly done: number;
}

/** A parsed file name: `base` has the extension but not the counter. */
export interface CountedName {
  readonly base: string;
  readonly count: BootCount | undefined;
}

/** What is known of an entry, in systemd-bless-boot's words: without a counter it is good, with no try left it is bad. */
export type BootAssessment = "good" | "indeterminate" | "bad";

const COUNTED = /^(.+)\+([0-9]{1,9})(?:-([0-9]{1,9}))?(\.conf|\.efi)$/i;

/** `os-1+2-1.conf` is `os-1.conf` with 2 tries left and 1 done. Also accepts a path, with `/` or `\`. */
export function parseCountedName(name: string): CountedName {
  const match = COUNTED.exec(name);
  if (match === null) return { base: name, count: undefined };
  const [, stem = "", left = "0", done = "0", extension = ""] = match;
  return { base: stem + extension, count: { left: Number(left), done: Number(done) } };
}

/** The file name with the counter inserted; without a count just the name. */
export function formatCountedName(base: string, count: BootCount | undefined): string {
  if (count === undefined) return base;
  const dot = base.lastIndexOf(".");
  const counter = count.done === 0 ? `+${count.left}` : `+${count.left}-${count.done}`;
  return dot < 0 ? base + counter : base.slice(0, dot) + counter + base.slice(dot);
}

/**
 * The name of an entry that is to be tried: the boot loader counts its starts until it is blessed. A counter that it has
 * is replaced.
 */
export function countedName(fileName: string): string {
  return formatCountedName(parseCountedName(fileName).base, { left: BOOT_TRIES, done: 0 });
}

export function assessmentOf(fileName: string): BootAssessment {
  const { count } = parseCountedName(fileName);
  if (count === undefined) return "good";
  return count.left === 0 ? "bad" : "indeterminate";
}

/**
 * The name after an assessment, as systemd-bless-boot(8) gives it: `good` has no counter, `bad` no try left and the tries
 * that were done, `indeterminate` is what it was.
 */
export function assessedName(fileName: string, assessment: BootAssessment): string {
  const { base, count } = parseCountedName(fileName);
  if (assessment === "good") return base;
  if (assessment === "indeterminate") return fileName;
  return formatCountedName(base, { left: 0, done: count?.done ?? 0 });
}
