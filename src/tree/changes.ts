/** Which files differ between two trees. */
import type { ByteString } from "../bytes/index.ts";
import { newDirectory } from "./create.ts";
import type { DirectoryNode, FileContent, Metadata, TreeNode } from "./node.ts";
import { sortedNames } from "./walk.ts";

/** Paths from the top, without a slash in front; directories count like files. In the order of a walk. */
export interface TreeChanges {
  readonly added: readonly ByteString[];
  readonly removed: readonly ByteString[];
  readonly changed: readonly ByteString[];
}

/**
 * Compares name by name: kind, owner, permission bits, extended attributes, content, target of a link, number of a device.
 * Times do not count, nor which names share a file.
 */
export function treeChanges(before: DirectoryNode, after: DirectoryNode): TreeChanges {
  const changes = { added: [] as ByteString[], removed: [] as ByteString[], changed: [] as ByteString[] };
  const everything = (list: ByteString[], path: string, node: TreeNode): void => {
    list.push(path as ByteString);
    if (node.kind !== "directory") return;
    for (const name of sortedNames(node)) everything(list, `${path}/${name}`, node.entries.get(name) as TreeNode);
  };
  const compare = (prefix: string, left: DirectoryNode, right: DirectoryNode): void => {
    for (const name of new Set([...sortedNames(left), ...sortedNames(right)].sort())) {
      const path = `${prefix}${name}`;
      const [old, next] = [left.entries.get(name), right.entries.get(name)];
      if (old === undefined && next !== undefined) everything(changes.added, path, next);
      else if (old !== undefined && next === undefined) everything(changes.removed, path, old);
      else if (old !== undefined && next !== undefined) compareNodes(path, old, next);
    }
  };
  const compareNodes = (path: string, old: TreeNode, next: TreeNode): void => {
    if (!isSame(old, next)) changes.changed.push(path as ByteString);
    const below = (node: TreeNode) => (node.kind === "directory" ? node : undefined);
    const [left, right] = [below(old), below(next)];
    if (left !== undefined || right !== undefined) compare(`${path}/`, left ?? NOTHING, right ?? NOTHING);
  };
  compare("", before, after);
  return changes;
}

const NOTHING: DirectoryNode = newDirectory();

function isSame(a: TreeNode, b: TreeNode): boolean {
  if (!sameMetadata(a, b)) return false;
  if (a.kind === "file") return b.kind === "file" && sameContent(a.content, b.content);
  if (a.kind === "symlink") return b.kind === "symlink" && a.target === b.target;
  return !("rdev" in a) || ("rdev" in b && a.rdev === b.rdev);
}

/** Linux gives symbolic links no permission bits (symlink(7)), whatever an archive says. */
function sameMetadata(a: TreeNode, b: TreeNode): boolean {
  if (a.kind !== b.kind || a.metadata.uid !== b.metadata.uid || a.metadata.gid !== b.metadata.gid) return false;
  return (a.kind === "symlink" || a.metadata.mode === b.metadata.mode) && sameXattrs(a.metadata, b.metadata);
}

function sameXattrs({ xattrs: a }: Metadata, { xattrs: b }: Metadata): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([name, value]) => {
    const other = b.get(name);
    return other !== undefined && Buffer.compare(value, other) === 0;
  });
}

function sameContent(a: FileContent, b: FileContent): boolean {
  if (a.type === "inline") return b.type === "inline" && Buffer.compare(a.bytes, b.bytes) === 0;
  return b.type === "external" && a.sizeBytes === b.sizeBytes && a.objectId === b.objectId;
}
