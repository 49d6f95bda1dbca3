/** What differs, by the packages that databases in the two trees know. */
import { byteStringOfText } from "../bytes/index.ts";
import { type ExplainedDifference, measure } from "../compare/index.ts";
import { SealrootError } from "../errors/index.ts";
import {
  changesOfPackages,
  type FileOwners,
  type PackageLists,
  type ReadContent,
  readFileOwners,
  readPackageLists,
  type ToolChanges,
} from "../packages/index.ts";
import { lookupPath, TreeFiles } from "../tree/index.ts";
import type { PackageDifferences, ReportedDifference } from "./report.ts";
import type { SourceTree } from "./source.ts";

/** The packages themselves: those on one side only, and those of other versions. */
export async function packageChangesOf(a: SourceTree, b: SourceTree): Promise<ToolChanges[]> {
  const [before, after] = [await listsOf(a), await listsOf(b)];
  const changes = changesOfPackages(before, after, { before: "A", after: "B" });
  return changes.filter(
    ({ changes }) => "unknown" in changes || Object.values(changes).some(({ length }) => length > 0),
  );
}

async function listsOf(tree: SourceTree): Promise<PackageLists> {
  return await readPackageLists(filesOf(tree), readerOf(tree));
}

function filesOf({ root }: SourceTree): TreeFiles {
  return new TreeFiles(root, () => {
    throw new SealrootError("unsupported", "Cannot read a file by its digest: it is read by its path");
  });
}

function readerOf({ readContent }: SourceTree): ReadContent {
  return (content, path) => readContent(content, byteStringOfText(path));
}

/** Adds to each difference whose file it is. @returns with the packages, by their names */
export async function attribute(
  differences: readonly ExplainedDifference[],
  a: SourceTree,
  b: SourceTree,
): Promise<{ differences: ReportedDifference[]; byPackage: PackageDifferences[] }> {
  if (differences.length === 0) return { differences: [], byPackage: [] };
  const ownersA = await readFileOwners(filesOf(a), readerOf(a));
  // Most of what differs is on both sides, and the lists of the other side are as long.
  const isKnownToA = ({ path, field, a: left }: ExplainedDifference) =>
    (field !== "entry" || left !== undefined) && ownersA.ownerOf(path) !== undefined;
  const owners = {
    a: ownersA,
    b: differences.every(isKnownToA) ? undefined : await readFileOwners(filesOf(b), readerOf(b)),
  };
  const counts = new Map<string, { differences: number; addedBytes: number }>();
  const attributed = differences.map((difference): ReportedDifference => {
    const owner = ownerOf(difference, owners);
    if (owner === undefined) return difference;
    const count = counts.get(owner) ?? { differences: 0, addedBytes: 0 };
    count.differences += 1;
    count.addedBytes += addedBytes(difference, a, b);
    counts.set(owner, count);
    return { ...difference, package: owner };
  });
  const byPackage = [...counts].map(([name, count]) => ({ name, ...count }));
  return { differences: attributed, byPackage: byPackage.sort((x, y) => (x.name < y.name ? -1 : 1)) };
}

function ownerOf(
  { path, field, a }: ExplainedDifference,
  owners: { a: FileOwners; b: FileOwners | undefined },
): string | undefined {
  const isOnlyInB = field === "entry" && a === undefined;
  return (isOnlyInB ? undefined : owners.a.ownerOf(path)) ?? owners.b?.ownerOf(path);
}

/** By which the content of what differs is larger on side B. */
function addedBytes({ field, path, a, b }: ExplainedDifference, treeA: SourceTree, treeB: SourceTree): number {
  if (field === "size") return Number(b) - Number(a);
  if (field !== "entry") return 0;
  const [node, sign] = a === undefined ? [lookupPath(treeB.root, path), 1] : [lookupPath(treeA.root, path), -1];
  return node === undefined ? 0 : sign * measure(node).bytes;
}
