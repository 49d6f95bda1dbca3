/** Under which of its names a hard-linked inode is stored in epoch 1 (spec/erofs.md 2.5). */
import type { ByteString } from "../bytes/index.ts";
import { type DirectoryNode, type LeafNode, type TreeNode, walkTree } from "../tree/index.ts";

export interface PrimaryName {
  readonly parent: DirectoryNode;
  readonly name: ByteString;
}

/**
 * The primary names of inodes that have several: the first one in a depth-first walk or, in the C dialect if it is
 * known and in the tree, the name on the inode's own line of the dump.
 *
 * @param linkCounts inodes with several names
 */
export function primaryNames(
  root: DirectoryNode,
  linkCounts: ReadonlyMap<LeafNode, number>,
  useStatedNames: boolean,
): Map<TreeNode, PrimaryName> {
  const primaries = new Map<TreeNode, PrimaryName>();
  if (linkCounts.size === 0) return primaries;
  for (const { node, parent, name } of walkTree(root)) {
    if (parent === undefined || node.kind === "directory" || !linkCounts.has(node)) continue;
    const stated = useStatedNames ? node.stated?.primaryName : undefined;
    const isStated = stated?.parent === parent && stated.name === name;
    if (isStated || !primaries.has(node)) primaries.set(node, { parent, name });
  }
  return primaries;
}
