/** The inode of a planned entry, once it has its place. */
import { bytesOf } from "../../bytes/index.ts";
import {
  BLOCK_BYTES,
  deviceMap,
  encodeExtents,
  ext4Time,
  INODE_BYTES,
  INODE_FLAGS,
  INODE_MAP_BYTES,
  INODE_XATTRS_OFFSET,
  isIndexed,
  signInode,
  writeInode,
  writeInodeXattrs,
} from "../../ext4/index.ts";
import { FILE_TYPE_BITS } from "../../tree/index.ts";
import type { PlacedInode } from "./place.ts";
import type { PlannedInode } from "./plan.ts";

/** A directory with more has "one": its links are not counted (feature dir_nlink). */
const DIRECTORY_LINK_LIMIT = 65000;

/** @param inodeSeed see `inodeChecksumSeed` of ext4 */
export function inodeBytes(place: PlacedInode, epochSeconds: number, inodeSeed: number): Uint8Array {
  const { inode, extents, treeBlocks } = place;
  const { kind, metadata } = inode.entry;
  const bytes = new Uint8Array(INODE_BYTES);
  const ownBlocks = extents.reduce((sum, extent) => sum + extent.count, treeBlocks.length);
  writeInode(bytes, {
    mode: FILE_TYPE_BITS[kind] | metadata.mode,
    uid: metadata.uid,
    gid: metadata.gid,
    sizeBytes: sizeOf(inode),
    linkCount: kind === "directory" && inode.linkCount >= DIRECTORY_LINK_LIMIT ? 1 : inode.linkCount,
    flags: flagsOf(inode),
    blockCount: ownBlocks + (place.xattrBlock === 0 ? 0 : 1),
    map: mapOf(place, inodeSeed),
    xattrBlock: place.xattrBlock,
    time: ext4Time(metadata.mtimeSeconds, metadata.mtimeNanoseconds),
    diskTime: ext4Time(BigInt(epochSeconds), 0),
  });
  writeInodeXattrs(bytes.subarray(INODE_XATTRS_OFFSET), inode.xattrs.inInode);
  signInode(bytes, inodeSeed);
  return bytes;
}

function sizeOf({ entry, layout, parts }: PlannedInode): number {
  if (entry.kind === "symlink") return entry.target.length;
  if (entry.kind === "directory") return (layout?.blockCount ?? 0) * BLOCK_BYTES;
  return entry.kind === "file" ? (entry.veritySizeBytes ?? parts[0]?.sizeBytes ?? 0) : 0;
}

function hasExtents({ entry }: PlannedInode): boolean {
  if (entry.kind === "symlink") return entry.target.length >= INODE_MAP_BYTES;
  return entry.kind === "file" || entry.kind === "directory";
}

function flagsOf(inode: PlannedInode): number {
  const { entry, layout } = inode;
  const isVerity = entry.kind === "file" && entry.veritySizeBytes !== undefined;
  return (
    (hasExtents(inode) ? INODE_FLAGS.extents : 0) |
    (isVerity ? INODE_FLAGS.verity : 0) |
    (layout !== undefined && isIndexed(layout) ? INODE_FLAGS.indexedDirectory : 0)
  );
}

/** i_block */
function mapOf(place: PlacedInode, inodeSeed: number): Uint8Array {
  const { inode, extents, treeBlocks } = place;
  const { entry } = inode;
  if (hasExtents(inode)) return encodeExtents(extents, treeBlocks, inodeSeed).inodeMap;
  if (entry.kind === "symlink") return shortTarget(bytesOf(entry.target));
  return "major" in entry ? deviceMap(entry.major, entry.minor) : new Uint8Array(INODE_MAP_BYTES);
}

function shortTarget(target: Uint8Array): Uint8Array {
  const map = new Uint8Array(INODE_MAP_BYTES);
  map.set(target);
  return map;
}
