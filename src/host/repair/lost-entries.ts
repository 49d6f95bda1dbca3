/** Which entries of a menu are lost: names and sort keys of those that are left say how many there were. */
import { type NamedEntry, parseCountedName, placeEntries } from "../../bls/index.ts";

/** A deployment that no entry starts. */
export interface EntryCandidate {
  /** As it would stand in the menu by itself. */
  readonly entry: NamedEntry;
  readonly deploymentId: string;
  /** It is in every menu: it runs, or it is pinned. */
  readonly isCertain: boolean;
}

export interface LostEntry {
  readonly deploymentId: string;
  /** The entry in its place; undefined when it does not fit between those that are left. */
  readonly entry: NamedEntry | undefined;
}

/** Where an entry stands: from the front by its sort key, from the back by its name. */
interface Place {
  readonly index: number;
  readonly number: number;
}

/**
 * The deployments whose entries are lost, and these entries. A menu of which nothing shows that it was longer has lost
 * only what is certain to have been in it.
 *
 * @param left the usable entries, in the order of the menu
 * @param unusable names of entries that cannot be read
 * @param candidates the likeliest first
 */
export function lostEntries(
  left: readonly NamedEntry[],
  unusable: readonly string[],
  candidates: readonly EntryCandidate[],
): LostEntry[] {
  if (candidates.length === 0) return [];
  const places = left.map(placeOf);
  const broken = unusable.flatMap((name) => numberOf(name) ?? []);
  const known = places.filter((place) => place !== undefined);
  const isNothingLeft = known.length === 0 && broken.length === 0;
  const size = isNothingLeft
    ? candidates.length
    : Math.max(...known.map(({ index, number }) => index + number + 1), ...broken.map((number) => number + 1));
  const taken = new Set(known.map(({ index }) => index));
  const free = Array.from({ length: size }, (_, index) => index).filter((index) => !taken.has(index));
  // A menu of one is called like the first of two.
  const isShort = size === 2 && taken.has(0) && broken.length === 0;
  const certain = candidates.filter(({ isCertain }) => isCertain);
  const chosen = isShort ? certain : [...certain, ...candidates.filter(({ isCertain }) => !isCertain)];
  const lost = chosen.slice(0, Math.max(free.length, certain.length));
  return lost.map(({ deploymentId, entry }, index) => {
    const place = free[index];
    const placed = place === undefined ? undefined : placedBetween(left, places, size, entry, place);
    return { deploymentId, entry: placed };
  });
}

function placedBetween(
  left: readonly NamedEntry[],
  places: readonly (Place | undefined)[],
  size: number,
  entry: NamedEntry,
  place: number,
): NamedEntry | undefined {
  const menu = Array.from({ length: size }, () => entry);
  for (const [at, other] of left.entries()) {
    const index = places[at]?.index;
    if (index !== undefined) menu[index] = other;
  }
  const placed = placeEntries(menu);
  const isUnchanged = left.every((other, at) => {
    const index = places[at]?.index;
    const found = index === undefined ? undefined : placed[index];
    return found?.fileName === other.fileName && found.entry.sortKey === other.entry.sortKey;
  });
  return isUnchanged ? placed[place] : undefined;
}

function placeOf({ fileName, entry }: NamedEntry): Place | undefined {
  const index = /-([0-9]{1,4})$/.exec(entry.sortKey ?? "")?.[1];
  const number = numberOf(fileName);
  return index === undefined || number === undefined ? undefined : { index: Number(index), number };
}

/** The number at the end of a name that is one of ours. */
function numberOf(fileName: string): number | undefined {
  const number = /^bootc_.*-([0-9]{1,4})\.conf$/i.exec(parseCountedName(fileName).base)?.[1];
  return number === undefined ? undefined : Number(number);
}
