/** New nodes. */
import type { ByteString } from "../bytes/index.ts";
import { type DirectoryNode, type Metadata, NO_XATTRS } from "./node.ts";

/**
 * Metadata from the non-zero fields. The default is what a layer merge starts its root with: everything
 * zero, no xattrs (spec/oci.md 4).
 */
export function newMetadata(fields: Partial<Metadata> = {}): Metadata {
  return {
    mode: fields.mode ?? 0,
    uid: fields.uid ?? 0,
    gid: fields.gid ?? 0,
    mtimeSeconds: fields.mtimeSeconds ?? 0n,
    mtimeNanoseconds: fields.mtimeNanoseconds ?? 0,
    xattrs: fields.xattrs ?? NO_XATTRS,
  };
}

/** An empty directory that owns `metadata`. */
export function newDirectory(metadata: Metadata = newMetadata()): DirectoryNode {
  return { kind: "directory", metadata, entries: new Map() };
}

/** A copy that shares no mutable part (xattrs and their values are never changed in place and stay shared). */
export function copyMetadata(metadata: Metadata): Metadata {
  return { ...metadata };
}

/** Removes all xattrs except those whose name is to stay. */
export function keepXattrs(metadata: Metadata, stays: (name: ByteString) => boolean): void {
  if (metadata.xattrs.size === 0) return;
  const kept = [...metadata.xattrs].filter(([name]) => stays(name));
  metadata.xattrs = kept.length === 0 ? NO_XATTRS : new Map(kept);
}
