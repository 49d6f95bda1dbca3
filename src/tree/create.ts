/** New nodes. */
import type { ByteString } from "../bytes/index.ts";
import type { DirectoryNode, Metadata } from "./node.ts";

/**
 * Metadata from those fields that are not zero. The default is what a layer merge starts its root with: everything
 * zero, no xattrs (spec/oci.md 4).
 */
export function newMetadata(fields: Partial<Metadata> = {}): Metadata {
  return {
    mode: fields.mode ?? 0,
    uid: fields.uid ?? 0,
    gid: fields.gid ?? 0,
    mtimeSeconds: fields.mtimeSeconds ?? 0n,
    mtimeNanoseconds: fields.mtimeNanoseconds ?? 0,
    xattrs: fields.xattrs ?? new Map(),
  };
}

/** An empty directory that owns `metadata`. */
export function newDirectory(metadata: Metadata = newMetadata()): DirectoryNode {
  return { kind: "directory", metadata, entries: new Map() };
}

/** A copy that shares no mutable part (xattr values are never changed in place and stay shared). */
export function copyMetadata(metadata: Metadata): Metadata {
  return { ...metadata, xattrs: new Map<ByteString, Uint8Array>(metadata.xattrs) };
}
