/** How two lists of packages differ. */
import type { InstalledPackage } from "./package.ts";

export interface ChangedPackage {
  readonly name: string;
  readonly from: InstalledPackage;
  readonly to: InstalledPackage;
}

/** Each list in the order of names. */
export interface PackageChanges {
  readonly added: readonly InstalledPackage[];
  readonly removed: readonly InstalledPackage[];
  readonly upgraded: readonly ChangedPackage[];
  readonly downgraded: readonly ChangedPackage[];
  /** Of the same version, for another architecture. */
  readonly replaced: readonly ChangedPackage[];
}

/**
 * Compares two lists. A package may be there several times, for several architectures or, as kernels are, in several
 * versions: what is on both sides is set aside first; of the rest, one here and one there for the same architecture are a
 * change, then one here and one there at all.
 *
 * @param compare order of versions: negative if the first is older
 */
export function packageChanges(
  before: readonly InstalledPackage[],
  after: readonly InstalledPackage[],
  compare: (a: string, b: string) => number,
): PackageChanges {
  const changes = { added: [], removed: [], upgraded: [], downgraded: [], replaced: [] } as {
    added: InstalledPackage[];
    removed: InstalledPackage[];
    upgraded: ChangedPackage[];
    downgraded: ChangedPackage[];
    replaced: ChangedPackage[];
  };
  const [old, next] = [byName(before), byName(after)];
  for (const name of [...new Set([...old.keys(), ...next.keys()])].sort()) {
    const { pairs, left, right } = pair(old.get(name) ?? [], next.get(name) ?? []);
    for (const [from, to] of pairs) {
      const order = compare(from.version, to.version);
      const list = order < 0 ? changes.upgraded : order > 0 ? changes.downgraded : changes.replaced;
      list.push({ name, from, to });
    }
    changes.removed.push(...left);
    changes.added.push(...right);
  }
  return changes;
}

/** As JSON: what is absent as null. */
export function packageChangesJson(changes: PackageChanges) {
  const one = ({ name, version, architecture }: InstalledPackage) => ({
    ...{ name, version },
    architecture: architecture ?? null,
  });
  const pair = ({ name, from, to }: ChangedPackage) => ({ name, from: one(from), to: one(to) });
  return {
    added: changes.added.map(one),
    removed: changes.removed.map(one),
    upgraded: changes.upgraded.map(pair),
    downgraded: changes.downgraded.map(pair),
    replaced: changes.replaced.map(pair),
  };
}

function byName(packages: readonly InstalledPackage[]): Map<string, InstalledPackage[]> {
  const found = new Map<string, InstalledPackage[]>();
  for (const one of packages) {
    const known = found.get(one.name);
    if (known === undefined) found.set(one.name, [one]);
    else known.push(one);
  }
  return found;
}

/** Those of one name. */
function pair(before: readonly InstalledPackage[], after: readonly InstalledPackage[]) {
  const keyOf = ({ version, architecture }: InstalledPackage) => `${version} ${architecture}`;
  let left = without(before, after, keyOf);
  let right = without(after, before, keyOf);
  const pairs: [InstalledPackage, InstalledPackage][] = [];
  const join = (here: readonly InstalledPackage[], there: readonly InstalledPackage[]) => {
    const [from, ...more] = here;
    const [to, ...others] = there;
    if (from === undefined || to === undefined || more.length + others.length > 0) return;
    pairs.push([from, to]);
    left = left.filter((one) => one !== from);
    right = right.filter((one) => one !== to);
  };
  for (const architecture of new Set(left.map((one) => one.architecture))) {
    const isOf = (one: InstalledPackage) => one.architecture === architecture;
    join(left.filter(isOf), right.filter(isOf));
  }
  join(left, right);
  return { pairs, left, right };
}

function without(
  packages: readonly InstalledPackage[],
  others: readonly InstalledPackage[],
  keyOf: (one: InstalledPackage) => string,
): readonly InstalledPackage[] {
  const keys = new Set(others.map(keyOf));
  return packages.filter((one) => !keys.has(keyOf(one)));
}
