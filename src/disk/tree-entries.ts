/** Turns a file tree into the flat list that fills a root file system. */
import type { ByteString } from "../bytes/index.ts";
import { type DirectoryNode, type FileContent, type TreeNode, walkTree } from "../tree/index.ts";
import type { DiskEntry } from "./disk-entry.ts";

/**
 * The entries of everything below `root`, parents first, siblings in byte order. The root itself is left out.
 *
 * @param sourceOf the host's file that holds a content; called once per inode
 */
export function treeEntries(root: DirectoryNode, sourceOf: (content: FileContent) => string): DiskEntry[] {
  const entries: DiskEntry[] = [];
  const firstNames = new Map<TreeNode, ByteString>();
  for (const { path, node } of walkTree(root)) {
    if (node === root) continue;
    const relative = path.slice(1) as ByteString;
    const existing = firstNames.get(node);
    if (existing !== undefined) {
      entries.push({ kind: "hard-link", path: relative, existing });
      continue;
    }
    firstNames.set(node, relative);
    entries.push(entryOf(relative, node, sourceOf));
  }
  return entries;
}

function entryOf(path: ByteString, node: TreeNode, sourceOf: (content: FileContent) => string): DiskEntry {
  const { metadata } = node;
  switch (node.kind) {
    case "directory":
      return { kind: "directory", path, metadata };
    case "file":
      return { kind: "file", path, metadata, source: sourceOf(node.content) };
    case "symlink":
      return { kind: "symlink", path, metadata, target: node.target };
    case "fifo":
    case "socket":
      return { kind: node.kind, path, metadata };
    case "character-device":
    case "block-device":
      return { kind: node.kind, path, metadata, ...deviceNumbers(node.rdev) };
  }
}

/** new_decode_dev of the Linux kernel (include/linux/kdev_t.h; spec/erofs.md 2.3). */
function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
