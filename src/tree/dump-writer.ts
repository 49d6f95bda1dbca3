/** Dump text written, in the canonical form of composefs-rs (spec/erofs.md 4). */
import { type ByteString, byteString, compareByteStrings } from "../bytes/index.ts";
import { escapeField, escapeOptionalField, escapeXattrPart } from "./dump-escape.ts";
import { modeOf } from "./file-type.ts";
import type { DirectoryNode, FileContent, LeafNode, Metadata, TreeNode } from "./node.ts";
import { objectPath } from "./object-path.ts";
import { directoryLinkCount, hardLinkCounts, walkTree } from "./walk.ts";

/**
 * One inode's line, without the newline.
 *
 * @param linkCount the inode's number of links, as counted by the caller
 */
function dumpLine(path: ByteString, node: TreeNode, linkCount: number): string {
  const { uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs } = node.metadata;
  const rdev = "rdev" in node ? node.rdev : 0;
  const fixed = [
    escapeField(path),
    sizeOf(node),
    modeOf(node).toString(8),
    linkCount,
    uid,
    gid,
    rdev,
    `${mtimeSeconds}.${mtimeNanoseconds}`,
    ...contentFields(node),
  ];
  return [...fixed, ...xattrFields(xattrs)].join(" ");
}

/** The line of an additional name of an inode, without the newline; only path and target matter. */
function dumpLinkLine(path: ByteString, target: ByteString): string {
  return `${escapeField(path)} 0 @120000 - - - - 0.0 ${escapeField(target)} - -`;
}

/** A part of a tree. */
export interface DumpPart {
  /** As printed; the paths below it begin with it. */
  readonly path: ByteString;
  readonly node: TreeNode;
}

/** The lines of a whole tree with their newlines, one inode or additional name each, depth first in byte order. */
export function dumpLines(root: DirectoryNode): Generator<string, void, undefined> {
  return dumpPartLines({ path: "/" as ByteString, node: root }, hardLinkCounts(root));
}

/**
 * The lines of one node and, for a directory, of everything below it. An additional name refers to the first one in
 * this part; names elsewhere only count.
 *
 * @param counts of the whole tree, from {@link hardLinkCounts}
 */
export function* dumpPartLines(
  part: DumpPart,
  counts: ReadonlyMap<LeafNode, number>,
): Generator<string, void, undefined> {
  const firstPaths = new Map<LeafNode, ByteString>();
  for (const { path, node } of walkTree(part.node, part.path)) {
    if (node.kind === "directory") {
      yield `${dumpLine(path, node, directoryLinkCount(node))}\n`;
      continue;
    }
    const count = counts.get(node) ?? 1;
    const firstPath = firstPaths.get(node);
    if (firstPath !== undefined) {
      yield `${dumpLinkLine(path, firstPath)}\n`;
      continue;
    }
    if (count > 1) firstPaths.set(node, path);
    yield `${dumpLine(path, node, count)}\n`;
  }
}

/** The dump text of a whole tree; ASCII. */
export function formatDump(root: DirectoryNode): Uint8Array {
  return Buffer.from([...dumpLines(root)].join(""), "latin1");
}

function sizeOf(node: TreeNode): number {
  if (node.kind === "symlink") return node.target.length;
  if (node.kind !== "file") return 0;
  return node.content.type === "inline" ? node.content.bytes.length : node.content.sizeBytes;
}

/** Payload, content and digest. */
function contentFields(node: TreeNode): [string, string, string] {
  if (node.kind === "symlink") return [escapeOptionalField(node.target), "-", "-"];
  return node.kind === "file" ? fileFields(node.content) : ["-", "-", "-"];
}

function fileFields(content: FileContent): [string, string, string] {
  if (content.type === "inline") return ["-", escapeOptionalField(byteString(content.bytes)), "-"];
  const { objectId, backingPath } = content;
  const path = backingPath ?? (objectId === undefined ? undefined : objectPath(objectId));
  return [escapeOptionalField(path), "-", objectId ?? "-"];
}

function xattrFields(xattrs: Metadata["xattrs"]): string[] {
  const names = [...xattrs.keys()].sort(compareByteStrings);
  return names.map((name) => {
    const value = byteString(xattrs.get(name) ?? new Uint8Array(0));
    return `${escapeXattrPart(name)}=${escapeXattrPart(value)}`;
  });
}
