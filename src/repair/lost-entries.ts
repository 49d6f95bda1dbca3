/** Which entries of a menu are lost: names and sort keys of those that are left say how many there were. */
import { type NamedEntry, parseCountedName, placeEntries } from "../bls/index.ts";

/** A deployment that no entry starts. */
export interface EntryCandidate {
  readonly deploymentId: string;
  /** It is in every menu: it runs, or it is pinned. */
  readonly isCertain: boolean;
}

/** Where an entry was lost. */
export interface LostPlace {
  /** How many entries the menu had. */
  readonly size: number;
  /** From the front; undefined when it does not fit between those that are left. */
  readonly index: number | undefined;
}

/** Where an entry stands: from the front by its sort key, from the back by its name. */
interface Place {
  readonly index: number;
  readonly number: number;
}

/**
 * The deployments whose entries are lost. A menu of which nothing shows that it was longer has lost only what is certain to
 * have been in it.
 *
 * @param left the usable entries
 * @param unusable names of entries that cannot be read
 * @param candidates the likeliest first
 */
export function lostDeployments(
  left: readonly NamedEntry[],
  unusable: readonly string[],
  candidates: readonly EntryCandidate[],
): Map<string, LostPlace> {
  if (candidates.length === 0) return new Map();
  const known = left.flatMap((entry) => placeOf(entry) ?? []);
  const broken = unusable.flatMap((name) => numberOf(name) ?? []);
  const sizes = [...known.map(({ index, number }) => index + number + 1), ...broken.map((number) => number + 1)];
  const size = sizes.length === 0 ? candidates.length : Math.max(...sizes);
  const taken = new Set(known.map(({ index }) => index));
  const free = Array.from({ length: size }, (_, index) => index).filter((index) => !taken.has(index));
  // A menu of one is called like the first of two.
  const isShort = size === 2 && taken.has(0) && broken.length === 0;
  const certain = candidates.filter(({ isCertain }) => isCertain);
  const others = isShort ? [] : candidates.filter(({ isCertain }) => !isCertain);
  const lost = [...certain, ...others].slice(0, Math.max(free.length, certain.length));
  // In a menu they are in the order in which they are the likeliest to be.
  const inOrder = candidates.filter((candidate) => lost.includes(candidate));
  return new Map(inOrder.map(({ deploymentId }, at) => [deploymentId, { size, index: free[at] }]));
}

/**
 * A lost entry in its place.
 *
 * @param left the usable entries
 * @param entry as it would stand in the menu by itself
 * @returns undefined when those that are left would have to be called otherwise
 */
export function lostEntry(
  left: readonly NamedEntry[],
  entry: NamedEntry,
  { size, index }: LostPlace,
): NamedEntry | undefined {
  if (index === undefined) return undefined;
  const menu = Array.from({ length: size }, () => entry);
  const known = left.map((other) => ({ other, place: placeOf(other) }));
  for (const { other, place } of known) if (place !== undefined) menu[place.index] = other;
  const placed = placeEntries(menu);
  const isUnchanged = known.every(({ other, place }) => {
    const found = place && placed[place.index];
    return found?.fileName === other.fileName && found.entry.sortKey === other.entry.sortKey;
  });
  return isUnchanged ? placed[index] : undefined;
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
