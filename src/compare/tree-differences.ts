/** Every field in which two trees differ. */
import { type ByteString, compareByteStrings } from "../bytes/index.ts";
import {
  type DirectoryNode,
  type FileContent,
  hardLinkCounts,
  joinPath,
  type LeafNode,
  type Metadata,
  sortedNames,
  type TreeNode,
} from "../tree/index.ts";
import type { Difference, DifferenceField } from "./difference.ts";
import {
  bytesText,
  contentText,
  deviceText,
  entryText,
  modeText,
  OWN_INODE,
  pathText,
  sizeOf,
  timeText,
} from "./values.ts";

interface Pair {
  readonly path: ByteString;
  readonly a: TreeNode;
  readonly b: TreeNode;
}

/**
 * Compares two trees in the order of a walk, in memory of the order of one directory and of the inodes with several names.
 *
 * What is on one side only is one difference, however much is below it. An inode whose names belong together on both sides
 * is compared at its first name. Which names belong together is judged by those that both sides have: a name that is gone
 * is told by itself.
 */
export function* treeDifferences(a: DirectoryNode, b: DirectoryNode): Generator<Difference, void, undefined> {
  const links = new LinkNames(a, b);
  const stack: (Pair | Difference)[] = [{ path: "/" as ByteString, a, b }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if ("field" in next) {
      yield next;
      continue;
    }
    yield* nodeDifferences(next, links);
    if (next.a.kind === "directory" && next.b.kind === "directory")
      pushEntries(next.path, next.a, next.b, links, stack);
  }
}

/** The last name first: a stack gives them back in order. */
function pushEntries(
  path: ByteString,
  a: DirectoryNode,
  b: DirectoryNode,
  links: LinkNames,
  stack: (Pair | Difference)[],
): void {
  const [left, right] = [sortedNames(a), sortedNames(b)];
  let [i, j] = [left.length - 1, right.length - 1];
  while (i >= 0 || j >= 0) {
    const [name, other] = [left[i], right[j]];
    const order = name === undefined ? -1 : other === undefined ? 1 : compareByteStrings(name, other);
    const current = (order >= 0 ? name : other) as ByteString;
    const [nodeA, nodeB] = [
      order >= 0 ? a.entries.get(current) : undefined,
      order <= 0 ? b.entries.get(current) : undefined,
    ];
    if (order >= 0) i--;
    if (order <= 0) j--;
    // Most are the same: no path is made for them.
    if (nodeA !== undefined && nodeB !== undefined && isSamePlainFile(nodeA, nodeB, links)) continue;
    const childPath = joinPath(path, current);
    if (nodeA !== undefined && nodeB !== undefined) stack.push({ path: childPath, a: nodeA, b: nodeB });
    else stack.push(onOneSide(childPath, nodeA, nodeB));
  }
}

/** Files without attributes and other names, which most are; of all others the fields are compared one by one. */
function isSamePlainFile(a: TreeNode, b: TreeNode, links: LinkNames): boolean {
  if (a.kind !== "file" || b.kind !== "file" || links.areLinked(a, b)) return false;
  const [left, right] = [a.metadata, b.metadata];
  return (
    left.mode === right.mode &&
    left.uid === right.uid &&
    left.gid === right.gid &&
    left.mtimeSeconds === right.mtimeSeconds &&
    left.mtimeNanoseconds === right.mtimeNanoseconds &&
    left.xattrs.size + right.xattrs.size === 0 &&
    sizeOf(a.content) === sizeOf(b.content) &&
    sameContent(a.content, b.content)
  );
}

function onOneSide(path: ByteString, a: TreeNode | undefined, b: TreeNode | undefined): Difference {
  const text = (node: TreeNode | undefined) => (node === undefined ? undefined : entryText(node));
  return { path, field: "entry", a: text(a), b: text(b), nodes: { a, b } };
}

function* nodeDifferences({ path, a, b }: Pair, links: LinkNames): Generator<Difference, void, undefined> {
  const nodes = { a, b };
  const differ = (field: DifferenceField, left: string | undefined, right: string | undefined): Difference => {
    return { path, field, a: left, b: right, nodes };
  };
  if (a.kind !== b.kind) {
    yield differ("type", entryText(a), entryText(b));
    return;
  }
  if (a.kind !== "directory" && b.kind !== "directory") {
    const names = links.at(path, a, b);
    if (names.a !== names.b) yield differ("hard-link", linkText(path, names.a), linkText(path, names.b));
    if (names.isKnown) return;
  }
  const [left, right] = [a.metadata, b.metadata];
  if (left.mode !== right.mode) yield differ("mode", modeText(left.mode), modeText(right.mode));
  if (left.uid !== right.uid) yield differ("uid", String(left.uid), String(right.uid));
  if (left.gid !== right.gid) yield differ("gid", String(left.gid), String(right.gid));
  if (left.mtimeSeconds !== right.mtimeSeconds || left.mtimeNanoseconds !== right.mtimeNanoseconds) {
    yield differ("mtime", timeText(left), timeText(right));
  }
  if (a.kind === "file" && b.kind === "file") {
    const [sizeA, sizeB] = [sizeOf(a.content), sizeOf(b.content)];
    if (sizeA !== sizeB) yield differ("size", String(sizeA), String(sizeB));
    if (!sameContent(a.content, b.content)) {
      yield differ("content", contentText(a.content), contentText(b.content));
    }
  }
  if (a.kind === "symlink" && b.kind === "symlink" && a.target !== b.target) {
    yield differ("target", pathText(a.target), pathText(b.target));
  }
  if ("rdev" in a && "rdev" in b && a.rdev !== b.rdev) yield differ("device", deviceText(a.rdev), deviceText(b.rdev));
  yield* xattrDifferences(left, right, (xattr, valueA, valueB) => ({ ...differ("xattr", valueA, valueB), xattr }));
}

function* xattrDifferences(
  { xattrs: a }: Metadata,
  { xattrs: b }: Metadata,
  differ: (xattr: ByteString, a: string | undefined, b: string | undefined) => Difference,
): Generator<Difference, void, undefined> {
  if (a === b || (a.size === 0 && b.size === 0)) return;
  for (const name of [...new Set([...a.keys(), ...b.keys()])].sort(compareByteStrings)) {
    const [left, right] = [a.get(name), b.get(name)];
    if (left !== undefined && right !== undefined && Buffer.compare(left, right) === 0) continue;
    yield differ(name, left && bytesText(left), right && bytesText(right));
  }
}

/** Where a content is kept counts too: an image holds small files itself, and names others by their digest. */
function sameContent(a: FileContent, b: FileContent): boolean {
  if (a.type === "inline") return b.type === "inline" && Buffer.compare(a.bytes, b.bytes) === 0;
  return b.type === "external" && a.objectId === b.objectId && a.backingPath === b.backingPath;
}

function linkText(path: ByteString, first: ByteString): string {
  return first === path ? OWN_INODE : `the inode of ${pathText(first)}`;
}

/** The first name of each inode, of those that both trees have. */
class LinkNames {
  readonly #countsA: ReadonlyMap<LeafNode, number>;
  readonly #countsB: ReadonlyMap<LeafNode, number>;
  readonly #a = new Map<LeafNode, ByteString>();
  readonly #b = new Map<LeafNode, ByteString>();

  constructor(a: DirectoryNode, b: DirectoryNode) {
    this.#countsA = hardLinkCounts(a);
    this.#countsB = hardLinkCounts(b);
  }

  /** Whether one of them has other names. */
  areLinked(a: LeafNode, b: LeafNode): boolean {
    return this.#countsA.has(a) || this.#countsB.has(b);
  }

  /** @returns `isKnown`: the two inodes were compared at an earlier name */
  at(path: ByteString, a: LeafNode, b: LeafNode): { a: ByteString; b: ByteString; isKnown: boolean } {
    const first = (names: Map<LeafNode, ByteString>, counts: ReadonlyMap<LeafNode, number>, node: LeafNode) => {
      if (!counts.has(node)) return path;
      const known = names.get(node);
      if (known === undefined) names.set(node, path);
      return known ?? path;
    };
    const names = { a: first(this.#a, this.#countsA, a), b: first(this.#b, this.#countsB, b) };
    return { ...names, isKnown: names.a === names.b && names.a !== path };
  }
}
