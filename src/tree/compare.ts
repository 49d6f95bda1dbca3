/** The first difference between two trees. */
import { type ByteString, toHex } from "../bytes/index.ts";
import type { DirectoryNode, FileContent, LeafNode, Metadata, TreeNode } from "./node.ts";
import { joinPath } from "./path.ts";
import { sortedNames } from "./walk.ts";

/** Where two trees differ, and how: `left` and `right` are the values, as text for people. */
export interface TreeDifference {
  readonly path: ByteString;
  readonly what: string;
  readonly left: string;
  readonly right: string;
}

/**
 * Compares names, kinds, metadata, contents and which names share an inode.
 * @returns the first difference in the order of a walk, or undefined for equal trees
 */
export function firstTreeDifference(left: DirectoryNode, right: DirectoryNode): TreeDifference | undefined {
  const pairs = new Map<LeafNode, LeafNode>();
  const reversePairs = new Map<LeafNode, LeafNode>();
  const compare = (path: ByteString, a: TreeNode, b: TreeNode): TreeDifference | undefined => {
    const difference = firstDifferentField(describeNode(a), describeNode(b));
    if (difference !== undefined) return { path, ...difference };
    if (a.kind !== "directory" || b.kind !== "directory") {
      if (a.kind === "directory" || b.kind === "directory") return undefined;
      const same = (pairs.get(a) ?? b) === b && (reversePairs.get(b) ?? a) === a;
      pairs.set(a, b);
      reversePairs.set(b, a);
      return same ? undefined : { path, what: "hard link", left: "another inode", right: "another inode" };
    }
    const names = sortedNames(a);
    const others = sortedNames(b);
    if (names.join("/") !== others.join("/")) {
      return { path, what: "entries", left: names.join(" "), right: others.join(" ") };
    }
    for (const name of names) {
      const found = compare(joinPath(path, name), a.entries.get(name) as TreeNode, b.entries.get(name) as TreeNode);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return compare("/" as ByteString, left, right);
}

function firstDifferentField(
  left: readonly [string, string][],
  right: readonly [string, string][],
): { what: string; left: string; right: string } | undefined {
  const others = new Map(right);
  for (const [what, value] of left) {
    const other = others.get(what) ?? "";
    if (value !== other) return { what, left: value, right: other };
  }
  return undefined;
}

function describeNode(node: TreeNode): [string, string][] {
  return [
    ["kind", node.kind],
    ...describeMetadata(node.metadata),
    ["content", node.kind === "file" ? describeContent(node.content) : ""],
    ["target", node.kind === "symlink" ? node.target : ""],
    ["rdev", "rdev" in node ? String(node.rdev) : ""],
  ];
}

function describeMetadata(metadata: Metadata): [string, string][] {
  const xattrs = [...metadata.xattrs].map(([name, value]) => `${name}=${toHex(value)}`).sort();
  return [
    ["mode", metadata.mode.toString(8)],
    ["uid", String(metadata.uid)],
    ["gid", String(metadata.gid)],
    ["mtime", `${metadata.mtimeSeconds}.${metadata.mtimeNanoseconds}`],
    ["xattrs", xattrs.join(" ")],
  ];
}

function describeContent(content: FileContent): string {
  if (content.type === "inline") return `inline ${toHex(content.bytes)}`;
  return `object ${content.objectId ?? "unknown"} of ${content.sizeBytes} bytes at ${content.backingPath ?? "its path"}`;
}
