/** Copies of whole trees. */
import type { ByteString } from "../bytes/index.ts";
import { copyMetadata } from "./create.ts";
import type { DirectoryNode, LeafNode, TreeNode } from "./node.ts";
import { hardLinkCounts } from "./walk.ts";

/**
 * A tree that can be transformed without touching the original: all nodes and metadata are new, hard links stay hard
 * links, contents and xattr values (never changed in place) are shared.
 */
export function cloneTree(root: DirectoryNode): DirectoryNode {
  const linkCounts = hardLinkCounts(root);
  /** Of those that have several names only: of a million others the map alone would be 60 MB. */
  const leaves = new Map<LeafNode, LeafNode>();
  const clone = (node: TreeNode): TreeNode => {
    if (node.kind === "directory") return cloneDirectory(node);
    const known = leaves.get(node);
    if (known !== undefined) return known;
    const copy: LeafNode = { ...node, metadata: copyMetadata(node.metadata) };
    if (linkCounts.has(node)) leaves.set(node, copy);
    return copy;
  };
  const cloneDirectory = (node: DirectoryNode): DirectoryNode => {
    const entries = new Map<ByteString, TreeNode>();
    for (const [name, child] of node.entries) entries.set(name, clone(child));
    return { kind: "directory", metadata: copyMetadata(node.metadata), entries };
  };
  return cloneDirectory(root);
}
