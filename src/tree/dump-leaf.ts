/** Inodes that are not directories, from the fields of their dump line (spec/erofs.md 4). */
import { type ByteString, bytesOf } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import type { DumpLine } from "./dump-line.ts";
import type { FileContent, LeafNode, Metadata, TreeNode } from "./node.ts";
import { objectIdOfPath } from "./object-path.ts";

/** The reference tool whose limits apply: `c` for mkcomposefs, `rs` for composefs-rs (spec/erofs.md 4 and 11). */
export type DumpDialect = "c" | "rs";

/** LCFS_BUILD_INLINE_FILE_SIZE_LIMIT of libcomposefs, MAX_INLINE_CONTENT of composefs-rs. */
export const INLINE_PARSE_MAX_BYTES: Readonly<Record<DumpDialect, number>> = { c: 5000, rs: 512 };
/** PATH_MAX - 1, and the limit of composefs-rs. */
const SYMLINK_TARGET_MAX_BYTES: Readonly<Record<DumpDialect, number>> = { c: 4095, rs: 1024 };

/**
 * The inode of a line that is neither a directory's nor a hard link's.
 * @throws SealrootError `corrupt` with the reason alone
 */
export function leafOfLine(
  line: DumpLine,
  kind: Exclude<TreeNode["kind"], "directory">,
  metadata: Metadata,
  dialect: DumpDialect,
): { leaf: LeafNode; linkCount: number } {
  const { linkCount, rdev, sizeBytes } = line;
  if (kind === "character-device" || kind === "block-device") {
    refuseContent(line);
    const leaf: LeafNode = { kind, metadata, rdev };
    return { leaf: withStatedSize(leaf, sizeBytes), linkCount };
  }
  if (rdev !== 0) throw corrupt("a device number on an inode that is not a device");
  if (kind === "file") return { leaf: { kind, metadata, content: fileContent(line, sizeBytes, dialect) }, linkCount };
  if (kind === "symlink") return { leaf: { kind, metadata, target: symlinkTarget(line, dialect) }, linkCount };
  refuseContent(line);
  return { leaf: withStatedSize({ kind, metadata }, sizeBytes), linkCount };
}

function withStatedSize(leaf: LeafNode, sizeBytes: number): LeafNode {
  if (sizeBytes !== 0) leaf.stated = { sizeBytes };
  return leaf;
}

function refuseContent(line: DumpLine): void {
  if (line.payload === undefined && line.content === undefined && line.digest === undefined) return;
  throw corrupt("payload, content or digest on a device, fifo or socket");
}

function symlinkTarget(line: DumpLine, dialect: DumpDialect): ByteString {
  const target = line.payload;
  if (target === undefined || target === "") throw corrupt("a symbolic link without a target");
  if (target.length > SYMLINK_TARGET_MAX_BYTES[dialect]) throw corrupt(`a link target of ${target.length} bytes`);
  if (target.includes("\0")) throw corrupt("a NUL in the link target");
  if (line.content !== undefined || line.digest !== undefined) throw corrupt("content or digest on a link");
  return target;
}

/** Content precedes payload in C, payload precedes content in composefs-rs. An empty file needs neither. */
function fileContent(line: DumpLine, sizeBytes: number, dialect: DumpDialect): FileContent {
  const { content, digest, isDigestPath } = line;
  const payload = isDigestPath ? undefined : line.payload;
  const hasPayload = isDigestPath || payload !== undefined;
  if (digest !== undefined && !hasPayload) throw corrupt("a digest without the object's path");
  if (content !== undefined) checkInlineContent(content, sizeBytes, dialect);
  const isInline = sizeBytes === 0 || (content !== undefined && (dialect === "c" || !hasPayload));
  if (isInline) return { type: "inline", bytes: bytesOf(content ?? ("" as ByteString)) };
  if (payload === undefined) return { type: "external", sizeBytes, objectId: digest };
  if (dialect === "rs" && digest === undefined && objectIdOfPath(payload) === undefined) {
    throw corrupt(`backing path ${JSON.stringify(payload.slice(0, 160))} is not xx/REST in hex`);
  }
  return { type: "external", sizeBytes, objectId: digest, backingPath: payload };
}

function checkInlineContent(content: ByteString, sizeBytes: number, dialect: DumpDialect): void {
  const max = INLINE_PARSE_MAX_BYTES[dialect];
  if (content.length > max) throw corrupt(`content of ${content.length} bytes, over ${max}`);
  if (content.length !== sizeBytes) throw corrupt(`content of ${content.length} bytes under a size of ${sizeBytes}`);
}
