/** Tar entries as entries of a layer (spec/oci.md 3, "Entry → inode"). */
import { type ErrorCode, SealrootError } from "../../errors/index.ts";
import type { TarBody, TarEntry } from "../../tar/index.ts";
import {
  type FileContent,
  type LayerEntry,
  type LeafNode,
  type Metadata,
  NO_XATTRS,
  quotePath,
} from "../../tree/index.ts";

/** Base names with this prefix are instructions, whatever the entry's type (OCI image specification, layer.md). */
const WHITEOUT_PREFIX = ".wh.";
const NO_CONTENT: FileContent = { type: "inline", bytes: new Uint8Array(0) };

/**
 * Turns a tar entry into a layer entry; the entry's xattr map becomes its property.
 *
 * @param body where the content of a regular file is, expanded if sparse; `streamed` bodies do not belong in a tree
 * @throws SealrootError `unsupported` for an unknown type, `corrupt` for a link without target or a device without number
 */
export function layerEntry(entry: TarEntry, body: TarBody): LayerEntry {
  const { path } = entry;
  const metadata: Metadata = {
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: entry.mtimeSeconds,
    mtimeNanoseconds: entry.mtimeNanoseconds,
    xattrs: entry.xattrs.size === 0 ? NO_XATTRS : entry.xattrs,
  };
  if (isWhiteout(path)) return { type: "inode", path, node: { kind: "file", metadata, content: NO_CONTENT } };
  switch (entry.kind) {
    case "hardlink":
      return { type: "hardlink", path, target: linkTarget(entry) };
    case "directory":
      return { type: "inode", path, node: { kind: "directory", metadata, entries: new Map() } };
    case "file":
      return { type: "inode", path, node: { kind: "file", metadata, content: fileContent(entry, body) } };
    default:
      return { type: "inode", path, node: leafNode(entry, metadata) };
  }
}

function isWhiteout(path: string): boolean {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed.slice(trimmed.lastIndexOf("/") + 1).startsWith(WHITEOUT_PREFIX);
}

function leafNode(entry: TarEntry, metadata: Metadata): LeafNode {
  switch (entry.kind) {
    case "symlink":
      return { kind: "symlink", metadata, target: linkTarget(entry) };
    case "character-device":
    case "block-device":
      return { kind: entry.kind, metadata, rdev: deviceNumber(entry) };
    case "fifo":
      return { kind: "fifo", metadata };
    default:
      throw refuse(entry, `type "${entry.typeFlag}" is not supported`, "unsupported");
  }
}

function fileContent(entry: TarEntry, body: TarBody): FileContent {
  if (body.type === "inline") return { type: "inline", bytes: body.bytes };
  if (body.type === "external") return { type: "external", sizeBytes: entry.sizeBytes, objectId: body.reference };
  throw refuse(entry, `its body of ${entry.sizeBytes} bytes is not an object`);
}

function linkTarget(entry: TarEntry) {
  const { linkPath } = entry;
  if (linkPath === undefined) throw refuse(entry, "a link without a target");
  if (!linkPath.includes("\0")) return linkPath;
  throw refuse(entry, "a link whose target has a NUL in it");
}

function refuse(entry: TarEntry, reason: string, code: ErrorCode = "corrupt"): SealrootError {
  const { path, headerOffset: offset } = entry;
  return new SealrootError(code, `Cannot use layer entry ${quotePath(path)}: ${reason}`, { path, offset });
}

/**
 * The kernel's 32-bit encoding of a device number, new_encode_dev() of linux/kdev_t.h; the tar room makes sure that it
 * fits.
 */
function deviceNumber(entry: TarEntry): number {
  if (entry.device === undefined) {
    throw refuse(entry, "a device without a number");
  }
  const { major, minor } = entry.device;
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
