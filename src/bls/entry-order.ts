/** The order of a boot menu, default first, as each boot loader makes it (spec/host.md 1.6; UAPI.1 "Sorting"). */
import { parseCountedName } from "./boot-counting.ts";
import type { BootEntry } from "./entry.ts";
import { compareRpmVersions, compareVersions } from "./version-compare.ts";

export interface NamedEntry {
  /** Name in `loader/entries/`, counter included. */
  readonly fileName: string;
  readonly entry: BootEntry;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Order of systemd-boot: entries with tries left before exhausted ones, entries with a sort key before those without,
 * then sort key and machine id ascending, version and finally file name descending.
 */
export function compareForSystemdBoot(a: NamedEntry, b: NamedEntry): number {
  const nameA = parseCountedName(a.fileName);
  const nameB = parseCountedName(b.fileName);
  const exhausted = Number(nameA.count?.left === 0) - Number(nameB.count?.left === 0);
  if (exhausted !== 0) return exhausted;
  const keyA = a.entry.sortKey;
  const keyB = b.entry.sortKey;
  if ((keyA === undefined) !== (keyB === undefined)) return keyA === undefined ? 1 : -1;
  if (keyA !== undefined && keyB !== undefined) {
    const order =
      compareText(keyA, keyB) ||
      compareText(a.entry.machineId ?? "", b.entry.machineId ?? "") ||
      -compareVersions(a.entry.version, b.entry.version);
    if (order !== 0) return order;
  }
  const names = -compareVersions(nameA.base, nameB.base);
  if (names !== 0) return names;
  // Two names of one entry: first the one with more tries left, then fewer done (systemd, src/boot/boot.c).
  if (nameA.count === undefined || nameB.count === undefined) return 0;
  return nameB.count.left - nameA.count.left || nameA.count.done - nameB.count.done;
}

/** Order of GRUB's blscfg: file names split like packages into name-version-release, each part descending as in RPM. */
export function compareForGrub(a: NamedEntry, b: NamedEntry): number {
  const partsA = packageParts(a.fileName);
  const partsB = packageParts(b.fileName);
  for (const [index, part] of partsA.entries()) {
    const order = compareRpmVersions(partsB[index] ?? "", part);
    if (order !== 0) return order;
  }
  return 0;
}

/** Name, version and release: split at the last two `-`. */
function packageParts(fileName: string): [string, string, string] {
  const stem = fileName.replace(/\.conf$/, "");
  const releaseAt = stem.lastIndexOf("-");
  const versionAt = stem.lastIndexOf("-", releaseAt - 1);
  if (releaseAt < 0) return [stem, "", ""];
  if (versionAt < 0 || releaseAt === 0) return [stem.slice(0, releaseAt), "", stem.slice(releaseAt + 1)];
  return [stem.slice(0, versionAt), stem.slice(versionAt + 1, releaseAt), stem.slice(releaseAt + 1)];
}
