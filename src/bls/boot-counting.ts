/** Boot counting in the names of entries (Automatic Boot Assessment, systemd; spec/boot-chain.md I.2). */

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

const COUNTED = /^(.+)\+([0-9]{1,9})(?:-([0-9]{1,9}))?(\.conf|\.efi)$/;

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
