/** When an inode of `/etc` counts as the same in two trees (spec/host-lifecycle.md 7). Times never count. */
import type { ByteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import {
  type FileContent,
  LABEL_XATTR,
  type LeafNode,
  type Metadata,
  PERMISSION_MASK,
  quotePath,
  type TreeNode,
} from "../tree/index.ts";
import { DIGEST_BYTES, type VerityAlgorithm, verityDigest } from "../verity/index.ts";

/**
 * Kind, owner, permission bits and all extended attributes. The permission bits of a symbolic link are left out: Linux
 * gives it none (symlink(7)), whatever the image's archive says.
 */
export function sameMetadata(a: TreeNode, b: TreeNode): boolean {
  if (a.kind !== b.kind || a.metadata.uid !== b.metadata.uid || a.metadata.gid !== b.metadata.gid) return false;
  const differentBits = (a.metadata.mode ^ b.metadata.mode) & PERMISSION_MASK;
  return (a.kind === "symlink" || differentBits === 0) && sameXattrs(a.metadata.xattrs, b.metadata.xattrs);
}

/**
 * Metadata, and the content, target or device number. Which names share the inode is not looked at.
 *
 * @param path for errors
 * @throws SealrootError `corrupt` when it is not known what is in a file, `conflict` for digests of two algorithms
 */
export function sameLeaf(a: LeafNode, b: LeafNode, path: ByteString): boolean {
  if (!sameMetadata(a, b)) return false;
  if (a.kind === "file") return b.kind === "file" && sameContent(a.content, b.content, path);
  if (a.kind === "symlink") return b.kind === "symlink" && a.target === b.target;
  return !("rdev" in a) || ("rdev" in b && a.rdev === b.rdev);
}

function sameXattrs(a: Metadata["xattrs"], b: Metadata["xattrs"]): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || Buffer.compare(plainValue(name, value), plainValue(name, other)) !== 0) return false;
  }
  return true;
}

/** A kernel with SELinux ends a label by a NUL, which composefs images have not (spec/erofs.md 6). */
function plainValue(name: ByteString, value: Uint8Array): Uint8Array {
  return name === LABEL_XATTR && value.at(-1) === 0 ? value.subarray(0, -1) : value;
}

function sameContent(a: FileContent, b: FileContent, path: ByteString): boolean {
  if (a.type === "external") return b.type === "external" ? sameObject(a, b, path) : isObject(b.bytes, a, path);
  return b.type === "external" ? isObject(a.bytes, b, path) : Buffer.compare(a.bytes, b.bytes) === 0;
}

type External = Extract<FileContent, { readonly type: "external" }>;

function sameObject(a: External, b: External, path: ByteString): boolean {
  const [first, second] = [knownId(a, path), knownId(b, path)];
  if (a.sizeBytes !== b.sizeBytes) return false;
  if (first.length !== second.length) {
    throw new SealrootError("conflict", `Cannot compare ${quotePath(path)}: its digests are of two algorithms`, {
      path,
      expected: first,
      actual: second,
    });
  }
  return first === second;
}

/** Readers differ in which sizes they keep in the image itself (spec/repository.md 3). */
function isObject(bytes: Uint8Array, object: External, path: ByteString): boolean {
  const objectId = knownId(object, path);
  return bytes.length === object.sizeBytes && verityDigest(bytes, algorithmOfId(objectId)) === objectId;
}

function knownId({ objectId, sizeBytes }: External, path: ByteString): string {
  if (objectId !== undefined) return objectId;
  throw corrupt(`Cannot compare ${quotePath(path)}: the image does not say what its ${sizeBytes} bytes are`, { path });
}

function algorithmOfId(objectId: string): VerityAlgorithm {
  return objectId.length === 2 * DIGEST_BYTES.sha256 ? "sha256" : "sha512";
}
