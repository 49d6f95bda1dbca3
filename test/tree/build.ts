/** Small trees for tests. */
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import {
  type DirectoryNode,
  type FileNode,
  type LeafNode,
  type Metadata,
  newDirectory,
  newMetadata,
  type SymlinkNode,
  type TreeNode,
} from "../../src/tree/index.ts";

export const bytes = byteStringOfText;

export function file(text = "", metadata: Partial<Metadata> = {}): FileNode {
  return {
    kind: "file",
    metadata: newMetadata({ mode: 0o644, ...metadata }),
    content: { type: "inline", bytes: Buffer.from(text) },
  };
}

export function symlink(target: string): SymlinkNode {
  return { kind: "symlink", metadata: newMetadata({ mode: 0o777 }), target: bytes(target) };
}

export function whiteout(): LeafNode {
  return { kind: "character-device", metadata: newMetadata({ mode: 0o644 }), rdev: 0 };
}

export function directory(entries: Record<string, TreeNode> = {}, metadata: Partial<Metadata> = {}): DirectoryNode {
  const node = newDirectory(newMetadata({ mode: 0o755, ...metadata }));
  for (const [name, child] of Object.entries(entries)) node.entries.set(bytes(name), child);
  return node;
}

/** The paths of all names, as a list, with a letter of the kind: "d /usr". */
export function names(node: DirectoryNode, path = ""): string[] {
  const lines: string[] = [];
  for (const [name, child] of [...node.entries].sort(([a], [b]) => (a < b ? -1 : 1)) as [ByteString, TreeNode][]) {
    lines.push(`${child.kind[0]} ${path}/${name}`);
    if (child.kind === "directory") lines.push(...names(child, `${path}/${name}`));
  }
  return lines;
}
