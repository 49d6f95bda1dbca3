/** A tree written down as paths. */
import { byteStringOfText } from "../../src/bytes/index.ts";
import {
  applyLayerEntry,
  type DirectoryNode,
  newDirectory,
  newMetadata,
  TreeFiles,
  type TreeNode,
} from "../../src/tree/index.ts";

/** The content of a file, a link, a node; undefined is for a directory. */
export type TreeItem = string | Uint8Array | { readonly link: string } | TreeNode | undefined;

/** The files of {@link rootOf}. */
export function treeOf(items: Readonly<Record<string, TreeItem>>): TreeFiles {
  return new TreeFiles(rootOf(items), () => new Uint8Array());
}

/** A tree with these items at their paths; directories on the way are made. Contents are all inline. */
export function rootOf(items: Readonly<Record<string, TreeItem>>): DirectoryNode {
  const root = newDirectory();
  const made = new Set<string>();
  const apply = (path: string, node: TreeNode) => {
    if (made.has(path)) return;
    made.add(path);
    applyLayerEntry(root, { type: "inode", path: byteStringOfText(path), node });
  };
  for (const [path, item] of Object.entries(items)) {
    const parts = path.split("/").filter((part) => part !== "");
    for (let depth = 1; depth < parts.length; depth++) apply(`/${parts.slice(0, depth).join("/")}`, newDirectory());
    apply(`/${parts.join("/")}`, nodeOf(item));
  }
  return root;
}

function nodeOf(item: TreeItem): TreeNode {
  if (item === undefined) return newDirectory();
  const metadata = newMetadata();
  if (typeof item === "string" || item instanceof Uint8Array) {
    return { kind: "file", metadata, content: { type: "inline", bytes: Buffer.from(item) } };
  }
  return "link" in item ? { kind: "symlink", metadata, target: byteStringOfText(item.link) } : item;
}
