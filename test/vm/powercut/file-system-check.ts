/** What the checkers of the two file systems complain about, except for what any power cut leaves and nothing suffers from. */
import { spawnSync } from "node:child_process";

/**
 * The mark of a file system in use, clusters that belong to nobody, counts, a second table that is older than the first
 * (which alone is read), a part of a long name whose short one is gone.
 */
const HARMLESS_IN_FAT = [
  /^fsck\.fat /,
  /^Dirty bit is set/,
  /^ ?Automatically removing dirty bit/,
  /^Reclaim(?:ed|ing) /,
  /^Free cluster summary (?:wrong|uninitialized)/,
  /^ {2}(?:Auto|Automatically|1\)|2\)|Using first|Not auto)/,
  /^FATs differ/,
  /^Orphaned long file name part/,
  /^Long filename fragment ".*" found outside a LFN sequence\.|^ {2}\(Maybe the start bit is missing/,
  // The mark is in the first boot sector only.
  /^There are differences between boot sector and its backup\.|^This is mostly harmless\. Differences:|^ {2}65:01\/00$/,
  /^Leaving filesystem unchanged/,
  /: \d+ files, \d+\/\d+ clusters/,
  /^$/,
];

/** @param path of the file system, in use or not; it is not changed */
export function espFaults(path: string): string[] {
  const { stdout, error } = spawnSync("fsck.vfat", ["-n", path], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error !== undefined) throw error;
  // What a cut leaves of a directory that is being made has a cluster of its own, and nobody looks at it.
  const withoutDrafts = stdout.replaceAll(/^\/\S*\/SEALROOT\.[0-9]{3}\n(?: {2}.*\n)+/gim, "");
  return complaints("fsck.vfat", withoutDrafts, HARMLESS_IN_FAT);
}

/**
 * The replay of the journal; what it does with files that were removed while they were open, and their list; the sums in the
 * superblock, which Linux writes only now and then and counts itself.
 */
const HARMLESS_IN_EXT4 = [
  /^e2fsck /,
  /^Pass \d/,
  /: recovering journal$/,
  /^Clearing orphaned inode /,
  /^Feature orphan_present is set but orphan file is clean\.$/,
  /^Orphan file \(inode \d+\) block \d+ is not clean\.$/,
  /^Free (?:blocks|inodes) count wrong \(/,
  /^(?:Fix|Clear)\? yes$/,
  /\*{5} FILE SYSTEM WAS MODIFIED \*{5}/,
  /: \d+\/\d+ files/,
  /^$/,
];

/** Replays the journal, and then looks for faults. @param path of the file system, which may be changed */
export function rootFaults(path: string): string[] {
  const { stdout, error } = spawnSync("e2fsck", ["-fy", path], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error !== undefined) throw error;
  return complaints("e2fsck", stdout, HARMLESS_IN_EXT4);
}

/** One line, without the numbers that make each state's different. */
function complaints(tool: string, output: string, harmless: readonly RegExp[]): string[] {
  const lines = output.split("\n").filter((line) => !harmless.some((pattern) => pattern.test(line)));
  if (lines.length === 0) return [];
  return [`${tool}: ${lines.map((line) => line.trim().replaceAll(/[0-9]+/g, "N")).join("; ")}`];
}
