/** Inodes that are not directories, as nodes (spec/erofs.md 2.3, 2.8, 3.7, 8). */
import { type ByteString, byteString, toHex } from "../bytes/index.ts";
import { type FileContent, type LeafNode, type Metadata, objectPath } from "../tree/index.ts";
import { ALGORITHM_NUMBER, DIGEST_BYTES, type VerityAlgorithm } from "../verity/index.ts";
import { chunkFormat } from "./chunk-format.ts";
import {
  BLOCK_BYTES,
  BLOCK_SIZE_BITS,
  CHUNK_INDEX_BYTES,
  INLINE_CONTENT_MAX_BYTES,
  LAYOUT_CHUNKED,
  LAYOUT_PLAIN,
  NO_BLOCK,
  SYMLINK_MAX_BYTES,
} from "./format.ts";
import { imageError } from "./read-error.ts";
import { inodeData, type RawInode } from "./read-inode.ts";
import { hasWhiteoutMark, overlayValues, userXattrs, withoutWhiteoutMarks } from "./read-marks.ts";
import type { ImageHeader } from "./read-superblock.ts";
import type { RawXattr } from "./read-xattrs.ts";

/** struct ovl_metacopy: version, length, flags, algorithm, digest. */
const METACOPY_HEADER_BYTES = 4;
const CHUNK_FORMAT_MASK = 0xffff;

/** The metadata of an inode with these user attributes. */
export function metadataOf(inode: RawInode, xattrs: ReadonlyMap<ByteString, Uint8Array>): Metadata {
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = inode;
  return { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs };
}

/** Reads a file, symbolic link, device, fifo or socket. Contents are views of the image. */
export function readLeaf(image: ImageHeader, inode: RawInode, xattrs: readonly RawXattr[]): LeafNode {
  const { kind, offset } = inode;
  if (kind === "directory") throw new Error("unreachable: readLeaf() of a directory");
  if (kind !== "file" && inode.layout === LAYOUT_CHUNKED) throw imageError(offset, `a ${kind} in chunks`);
  // A user's attribute with that name on a file with data means nothing here.
  if (kind === "file" && inode.sizeBytes === 0 && hasWhiteoutMark(xattrs)) return readWhiteout(image, inode, xattrs);
  const metadata = metadataOf(inode, userXattrs(xattrs, offset));
  if (kind === "file") return { kind, metadata, content: readContent(image, inode, xattrs) };
  if (kind === "symlink") return { kind, metadata, target: readTarget(image, inode) };
  if (inode.layout !== LAYOUT_PLAIN || inode.sizeBytes !== 0) throw imageError(offset, `a ${kind} with data`);
  if (kind === "character-device" || kind === "block-device") return { kind, metadata, rdev: inode.union };
  return { kind, metadata };
}

function readWhiteout(image: ImageHeader, inode: RawInode, xattrs: readonly RawXattr[]): LeafNode {
  if (image.epoch === 2) throw imageError(inode.offset, "a file marked as whiteout in an image of version 2");
  const own = userXattrs(withoutWhiteoutMarks(xattrs), inode.offset);
  return { kind: "character-device", metadata: metadataOf(inode, own), rdev: 0 };
}

function readTarget(image: ImageHeader, inode: RawInode): ByteString {
  const max = SYMLINK_MAX_BYTES[image.epoch];
  if (inode.sizeBytes === 0 || inode.sizeBytes > max) {
    throw imageError(inode.offset + 8, `a link target of ${inode.sizeBytes} bytes, not 1 to ${max}`);
  }
  const { blocks, tail } = inodeData(image, inode);
  const target = byteString(blocks.length > 0 ? blocks : tail);
  if (target.includes("\0")) throw imageError(inode.offset, "a link target with a NUL");
  return target;
}

function readContent(image: ImageHeader, inode: RawInode, xattrs: readonly RawXattr[]): FileContent {
  const { metacopy, redirect } = overlayValues(xattrs);
  if (inode.layout === LAYOUT_CHUNKED) {
    if (metacopy === undefined) throw imageError(inode.offset, "a file in chunks that does not name an object");
    const objectId = readMetacopy(metacopy, inode.offset);
    checkChunks(image, inode, objectId !== undefined);
    return { type: "external", sizeBytes: inode.sizeBytes, objectId, ...backingPath(redirect, objectId, inode) };
  }
  if (metacopy !== undefined || redirect !== undefined) {
    throw imageError(inode.offset, "a file in the image that names an object");
  }
  const max = INLINE_CONTENT_MAX_BYTES[image.epoch];
  const { blocks, tail } = inodeData(image, inode);
  if (inode.sizeBytes > max)
    throw imageError(inode.offset + 8, `a file of ${inode.sizeBytes} bytes inside, over ${max}`);
  return {
    type: "inline",
    bytes: tail.length === 0 ? blocks : blocks.length === 0 ? tail : Buffer.concat([blocks, tail]),
  };
}

function readMetacopy(value: Uint8Array, inodeOffset: number): string | undefined {
  if (value.length === 0) return undefined;
  const algorithm = value[3] === ALGORITHM_NUMBER.sha256 ? "sha256" : "sha512";
  const expected = [0, METACOPY_HEADER_BYTES + DIGEST_BYTES[algorithm], 0, ALGORITHM_NUMBER[algorithm]];
  const isWellFormed = value.length === expected[1] && expected.every((byte, index) => value[index] === byte);
  if (!isWellFormed) throw imageError(inodeOffset, `metacopy ${toHex(value.subarray(0, 8))}… of ${value.length} bytes`);
  return toHex(value.subarray(METACOPY_HEADER_BYTES));
}

/** Which algorithm made a digest of this many hex digits. */
export function algorithmOfObject(objectId: string): VerityAlgorithm {
  return objectId.length === 2 * DIGEST_BYTES.sha256 ? "sha256" : "sha512";
}

function backingPath(
  redirect: Uint8Array | undefined,
  objectId: string | undefined,
  inode: RawInode,
): { backingPath?: ByteString } {
  if (redirect === undefined) {
    if (objectId !== undefined) throw imageError(inode.offset, "a digest without the object's path");
    return {};
  }
  const path = byteString(redirect);
  if (!path.startsWith("/")) throw imageError(inode.offset, "an object's path that is not absolute");
  const relative = path.slice(1) as ByteString;
  return objectId !== undefined && relative === objectPath(objectId) ? {} : { backingPath: relative };
}

/**
 * Checks the chunk format and, if they are beside the inode, the indexes. Epoch 2 stores none without a digest, and
 * epoch 1 moves arrays that do not fit a block (spec 2.7, 2.8).
 */
function checkChunks(image: ImageHeader, inode: RawInode, hasDigest: boolean): void {
  const { sizeBytes, offset, tailOffset } = inode;
  if (sizeBytes === 0) throw imageError(offset + 8, "a file in chunks without a size");
  const format = chunkFormat(sizeBytes, image.epoch);
  if ((inode.union & CHUNK_FORMAT_MASK) !== format) throw imageError(offset + 16, `chunk format is not ${format}`);
  const count = image.epoch === 2 ? Number(hasDigest) : Math.ceil(sizeBytes / 2 ** (BLOCK_SIZE_BITS + format));
  const arrayBytes = count * CHUNK_INDEX_BYTES;
  if (image.epoch === 1 && (tailOffset % BLOCK_BYTES) + arrayBytes > BLOCK_BYTES) return;
  if (tailOffset + arrayBytes > image.bytes.length) {
    throw imageError(tailOffset, "the chunk indexes reach past the end of the image");
  }
  for (let at = tailOffset; at < tailOffset + arrayBytes; at += CHUNK_INDEX_BYTES) {
    if (image.view.getUint32(at, true) !== NO_BLOCK) throw imageError(at, "a chunk inside the image");
  }
}
