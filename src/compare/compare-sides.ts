/** Two sides compared: every difference with its rule, and whether it counts for the digest. */
import type { DirectoryNode } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import type { Composition } from "./composition.ts";
import { type Difference, differenceKey } from "./difference.ts";
import { explainCounted, explainUncounted } from "./explain.ts";
import type { ExplainContext, Explanation } from "./explain-context.ts";
import type { LayerHistory } from "./layer-history.ts";
import { NameTwins } from "./name-twins.ts";
import { SideFacts } from "./side-facts.ts";
import { treeDifferences } from "./tree-differences.ts";

export interface ComparedSide {
  readonly root: DirectoryNode;
  readonly history: LayerHistory | undefined;
  /** Whether somebody else unpacked it. */
  readonly isUnpacked: boolean;
  /** Turns the tree, in place, into that of the image; undefined for a tree that is one, or is taken as it is. */
  readonly compose: (() => void) | undefined;
}

export interface CompareRules {
  /** What both trees are once they are composed. */
  readonly composition: Composition;
  /** Of the images whose digests are compared: version 2 holds no nanoseconds. */
  readonly version: 0 | 1 | 2;
  readonly algorithm: VerityAlgorithm;
}

/** A difference, what made it count or keeps it from counting. */
export interface ExplainedDifference extends Omit<Difference, "nodes">, Explanation {
  readonly counts: boolean;
}

/**
 * Compares two trees as they are given and, when they are composed, as they go into the image: what differs there counts
 * for the digest, what differs only before does not.
 *
 * The trees are composed meanwhile: they are those of the images afterwards.
 *
 * @returns in the order of paths; fields of one path in a fixed order
 */
export function compareSides(a: ComparedSide, b: ComparedSide, rules: CompareRules): ExplainedDifference[] {
  // Raw trees differ in what is left out too; of a composed one that is gone already.
  const given =
    a.compose !== undefined && b.compose !== undefined ? [...treeDifferences(a.root, b.root)].map(plain) : undefined;
  a.compose?.();
  b.compose?.();
  const context = contextOf(a, b, rules);
  const isKnown = new Set(given?.map(differenceKey));
  const counted: ExplainedDifference[] = [];
  const leftOut: Omit<Difference, "nodes">[] = [];
  for (const difference of treeDifferences(a.root, b.root)) {
    if (rules.version === 2 && isOfNanoseconds(difference)) {
      leftOut.push(plain(difference));
      continue;
    }
    const isDerived = given !== undefined && !isKnown.has(differenceKey(difference));
    counted.push({ ...plain(difference), counts: true, ...explainCounted(difference, context, isDerived) });
  }
  const isCounted = new Set(counted.map(differenceKey));
  for (const difference of given ?? []) if (!isCounted.has(differenceKey(difference))) leftOut.push(difference);
  const isListed = new Set<string>();
  const uncounted = leftOut.flatMap((difference): ExplainedDifference[] => {
    const key = differenceKey(difference);
    if (isListed.has(key)) return [];
    isListed.add(key);
    return [{ ...difference, counts: false, ...explainUncounted(difference, context) }];
  });
  return uncounted.length === 0 ? counted : inOrder([...counted, ...uncounted]);
}

function contextOf(a: ComparedSide, b: ComparedSide, { composition, algorithm }: CompareRules): ExplainContext {
  const { stage } = composition;
  return { a: new SideFacts("A", a), b: new SideFacts("B", b), algorithm, stage, twins: new NameTwins() };
}

/** Nodes change when the trees are composed. */
function plain({ nodes: _, ...difference }: Difference): Omit<Difference, "nodes"> {
  return difference;
}

function isOfNanoseconds({ field, nodes: { a, b } }: Difference): boolean {
  return field === "mtime" && a?.metadata.mtimeSeconds === b?.metadata.mtimeSeconds;
}

const FIELDS: readonly Difference["field"][] = [
  ...(["entry", "type", "hard-link", "mode", "uid", "gid", "mtime", "size", "content"] as const),
  ...(["target", "device", "xattr"] as const),
];

/** The order of a walk: a directory before what is below it, and a slash before every other byte. */
function inOrder(differences: ExplainedDifference[]): ExplainedDifference[] {
  const keyed = differences.map((difference) => ({ difference, key: difference.path.replaceAll("/", "\0") }));
  keyed.sort((x, y) => {
    if (x.key !== y.key) return x.key < y.key ? -1 : 1;
    const order = FIELDS.indexOf(x.difference.field) - FIELDS.indexOf(y.difference.field);
    return order || ((x.difference.xattr ?? "") < (y.difference.xattr ?? "") ? -1 : 1);
  });
  return keyed.map(({ difference }) => difference);
}
