/** Random trees that a file system can hold, so that tools that scan directories can be given them. */
import fc from "fast-check";
import { type ByteString, byteStringOfText } from "../../src/bytes/index.ts";
import type { Repository } from "../../src/repository/index.ts";
import {
  type DirectoryNode,
  type FileContent,
  INLINE_CONTENT_MAX_BYTES,
  type LeafNode,
  newDirectory,
  newMetadata,
  type TreeNode,
} from "../../src/tree/index.ts";

/** Largest content that is made for a file whose size alone was random. */
const CONTENT_MAX_BYTES = 100_000;
/** chown(2) takes this for "leave it as it is". */
const NO_OWNER = 2 ** 32 - 1;
/** Names that any file system with extended attributes takes from root. */
const XATTR_NAME = /^(?:user\..|trusted\.|security\.selinux$)/s;

/**
 * Changes a random tree, in place where it can, into one that can be made as root: contents that exist, the modes and
 * attributes that Linux allows. Contents of over 64 bytes are stored.
 */
export function makeReal(root: DirectoryNode, repository: Repository): DirectoryNode {
  const known = new Map<LeafNode, LeafNode>();
  const pending = [root];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    makeRealMetadata(directory);
    for (const [name, child] of directory.entries) {
      if (child.kind === "directory") pending.push(child);
      else directory.entries.set(name, known.get(child) ?? realLeaf(child, repository, known));
    }
  }
  return root;
}

/** Times of the directories that the transforms need; mostly with another fraction of a second each. */
export interface SystemTimes {
  readonly usr: readonly [seconds: bigint, nanoseconds: number];
  readonly boot: readonly [seconds: bigint, nanoseconds: number];
  readonly sysroot: readonly [seconds: bigint, nanoseconds: number];
}

const time = fc.tuple(
  fc.bigInt({ min: 0n, max: 2n ** 33n }),
  fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 5, arbitrary: fc.nat(999_999_999) }),
);

export const systemTimes: fc.Arbitrary<SystemTimes> = fc.record({ usr: time, boot: time, sysroot: time });

/** Adds the directories that the transforms need; `boot` and `sysroot` with something in them. */
export function withSystemDirectories(root: DirectoryNode, times: SystemTimes): DirectoryNode {
  for (const name of ["usr", "boot", "sysroot"] as const) {
    const [mtimeSeconds, mtimeNanoseconds] = times[name];
    const directory = newDirectory(newMetadata({ mode: 0o755, mtimeSeconds, mtimeNanoseconds }));
    if (name !== "usr") directory.entries.set(byteStringOfText("gone"), newDirectory(newMetadata({ mode: 0o700 })));
    root.entries.set(byteStringOfText(name), directory);
  }
  return root;
}

function realLeaf(leaf: LeafNode, repository: Repository, known: Map<LeafNode, LeafNode>): LeafNode {
  const real = leaf.kind === "file" ? { ...leaf, content: realContent(leaf.content, repository) } : leaf;
  makeRealMetadata(real);
  known.set(leaf, real);
  return real;
}

function realContent(content: FileContent, repository: Repository): FileContent {
  if (content.type === "inline" && content.bytes.length <= INLINE_CONTENT_MAX_BYTES) return content;
  const bytes =
    content.type === "inline"
      ? content.bytes
      : Buffer.alloc(1 + (content.sizeBytes % CONTENT_MAX_BYTES), String(content.sizeBytes));
  if (bytes.length <= INLINE_CONTENT_MAX_BYTES) return { type: "inline", bytes };
  return { type: "external", sizeBytes: bytes.length, objectId: repository.objects.ensure(bytes) };
}

function makeRealMetadata(node: TreeNode): void {
  const { metadata } = node;
  if (node.kind === "symlink") metadata.mode = 0o777;
  if (metadata.uid === NO_OWNER) metadata.uid--;
  const takesUser = node.kind === "file" || node.kind === "directory";
  const taken = ([name]: [ByteString, Uint8Array]) => XATTR_NAME.test(name) && (takesUser || !name.startsWith("user."));
  metadata.xattrs = new Map([...metadata.xattrs].filter(taken));
}
