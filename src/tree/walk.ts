/** Visiting every name of a tree, in byte order. */
import { type ByteString, compareByteStrings } from "../bytes/index.ts";
import type { DirectoryNode, LeafNode, TreeNode } from "./node.ts";
import { joinPath } from "./path.ts";

/** One name in the tree. A hard-linked inode is visited once per name. */
export interface TreeVisit {
  readonly path: ByteString;
  readonly node: TreeNode;
  /** Undefined only for the node where the walk begins. */
  readonly parent: DirectoryNode | undefined;
  readonly name: ByteString;
}

/** A directory's names, sorted as bytes. */
export function sortedNames(directory: DirectoryNode): ByteString[] {
  return [...directory.entries.keys()].sort(compareByteStrings);
}

/**
 * Depth first, a directory before its entries, entries in byte order; begins with the node itself.
 *
 * @param path of the node; the paths below it begin with that
 */
export function* walkTree(node: TreeNode, path = "/" as ByteString): Generator<TreeVisit, void, undefined> {
  const stack: TreeVisit[] = [{ path, node, parent: undefined, name: "" as ByteString }];
  for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
    yield visit;
    const { node, path } = visit;
    if (node.kind !== "directory") continue;
    const names = sortedNames(node);
    for (let index = names.length - 1; index >= 0; index--) {
      const name = names[index] as ByteString;
      stack.push({ path: joinPath(path, name), node: node.entries.get(name) as TreeNode, parent: node, name });
    }
  }
}

/** Every directory once, parents before children; siblings unordered, no paths: the cheap walk. */
export function* allDirectories(root: DirectoryNode): Generator<DirectoryNode, void, undefined> {
  const stack = [root];
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    yield directory;
    for (const child of directory.entries.values()) {
      if (child.kind === "directory") stack.push(child);
    }
  }
}

/**
 * How many names each non-directory inode with more than one has. An inode that is not in the map has one.
 */
export function hardLinkCounts(root: DirectoryNode): Map<LeafNode, number> {
  const seen = new Set<LeafNode>();
  const counts = new Map<LeafNode, number>();
  for (const directory of allDirectories(root)) {
    for (const child of directory.entries.values()) {
      if (child.kind === "directory") continue;
      if (seen.has(child)) counts.set(child, (counts.get(child) ?? 1) + 1);
      else seen.add(child);
    }
  }
  return counts;
}

/** A directory's link count: itself, its name in the parent, and `..` of each sub-directory (spec/erofs.md 2.4). */
export function directoryLinkCount(directory: DirectoryNode): number {
  let count = 2;
  for (const child of directory.entries.values()) {
    if (child.kind === "directory") count++;
  }
  return count;
}
