/** Places in the menu for any number of entries, told to systemd-boot by sort keys and to GRUB by file names. */
import { formatCountedName, parseCountedName } from "./boot-counting.ts";
import { plainName } from "./entry-name.ts";
import { compareForGrub, compareForSystemdBoot, type NamedEntry } from "./entry-order.ts";

/**
 * Names and sort keys by which every boot loader shows the entries in the order given, the default first. Boot counters
 * in the names stay; an entry that has no tries left is last in the menu of systemd-boot wherever it stands here.
 *
 * The first two of a system are what bootc calls primary and secondary (spec/host.md 1.6): sort keys `bootc-<os>-0` and
 * `bootc-<os>-1`, file names that end in `-1` and `-0`. Where these would not sort as wanted, because the names of the
 * systems differ or (GRUB) their versions, the position is put in front as well: `bootc-0-<os>-0`,
 * `bootc_1_<os>-<version>-1.conf`. bootc knows its files by `bootc_` and its keys by nothing, so both are fine with it.
 */
export function placeEntries(entries: readonly NamedEntry[]): NamedEntry[] {
  const width = String(entries.length - 1).length;
  const oses = entries.map(osIdOf);
  const place = (form: "plain" | "positional") =>
    entries.map(({ fileName, entry }, index): NamedEntry => {
      // At least two places: a single entry is a primary one.
      const number = Math.max(entries.length, 2) - 1 - index;
      const os = oses[index] ?? "bootc";
      const key = String(index).padStart(width, "0");
      const file = `${plainName(os)}-${plainName(entry.version)}-${number}.conf`;
      const { count } = parseCountedName(fileName);
      return {
        fileName: formatCountedName(form === "plain" ? `bootc_${file}` : `bootc_${number}_${file}`, count),
        entry: { ...entry, sortKey: form === "plain" ? `bootc-${os}-${key}` : `bootc-${key}-${os}-${key}` },
      };
    });
  const [plain, positional] = [place("plain"), place("positional")];
  const keys = isSorted(plain.map(withoutCount), compareForSystemdBoot) ? plain : positional;
  // GRUB knows nothing of counters, and splits names at the `-` of theirs as well.
  const names = isSorted(plain, compareForGrub) ? plain : positional;
  return names.map(({ fileName, entry }, index) => ({ fileName, entry: keys[index]?.entry ?? entry }));
}

function withoutCount({ fileName, entry }: NamedEntry): NamedEntry {
  return { fileName: parseCountedName(fileName).base, entry };
}

/** The os id that an entry was made with: in its sort key, which has it unchanged; else as its name has it. */
function osIdOf({ fileName, entry }: NamedEntry): string | undefined {
  const [, front, afterFront = "", back] = /^bootc-(?:([0-9]+)-)?(.+)-([0-9]+)$/.exec(entry.sortKey ?? "") ?? [];
  if (back !== undefined) return front === undefined || front === back ? afterFront : `${front}-${afterFront}`;
  return /^bootc_(?:[0-9]+_)?([^-]+)-/.exec(fileName)?.[1];
}

function isSorted(entries: readonly NamedEntry[], compare: (a: NamedEntry, b: NamedEntry) => number): boolean {
  return entries.every((entry, index) => {
    const next = entries[index + 1];
    return next === undefined || compare(entry, next) < 0;
  });
}

/** True for an entry whose tries are used up: systemd-boot shows it last, and never boots it by itself. */
export function isExhausted({ fileName }: Pick<NamedEntry, "fileName">): boolean {
  return parseCountedName(fileName).count?.left === 0;
}
