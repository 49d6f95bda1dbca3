/** Further changes for a boot variant (spec/oci.md 6, transform_for_boot). */
import type { ByteString } from "../bytes/index.ts";
import { compareByteStrings, toHex } from "../bytes/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import { copyMetadata } from "./create.ts";
import type { DirectoryNode, LeafNode, Metadata, TreeNode } from "./node.ts";
import { joinPath } from "./path.ts";
import { requiredDirectory } from "./transform-oci.ts";

/** The extended attribute that holds a SELinux label. */
export const LABEL_XATTR = "security.selinux" as ByteString;
/** These are mount points at run time; their contents in the image are not part of the root. */
const EMPTIED = ["boot" as ByteString, "sysroot" as ByteString];

/**
 * How much of the time of `/usr` `/boot` and `/sysroot` get: all of it, as in composefs-rs from 0.9.3 on, or only the
 * seconds, keeping their own nanoseconds, as before (spec/upstream-1.17.md 2a). Images of version 2 have no
 * nanoseconds: there both rules give the same image.
 */
export type BootTimes = "full" | "seconds";

/**
 * Changes a tree that went through {@link transformForOci}, in place: `/boot` and `/sysroot` are emptied and take the
 * time of `/usr`, and everything is labelled by the image's own policy, or loses its label when there is none.
 *
 * @param policy what `readSelinuxPolicy` found in this tree
 * @throws SealrootError `unsupported` when `/boot`, `/sysroot` or `/usr` is missing
 */
export function transformForBoot(
  root: DirectoryNode,
  policy: SelinuxPolicy | undefined,
  times: BootTimes = "full",
): void {
  const { mtimeSeconds, mtimeNanoseconds } = requiredDirectory(root, "usr" as ByteString).metadata;
  for (const { entries, metadata } of EMPTIED.map((name) => requiredDirectory(root, name))) {
    entries.clear();
    metadata.mtimeSeconds = mtimeSeconds;
    if (times === "full") metadata.mtimeNanoseconds = mtimeNanoseconds;
  }
  new Labeller(policy).label(root, "/" as ByteString);
}

/**
 * Makes the boot variant by both rules for the times, in turn in the same tree: when the generator has yielded a rule,
 * the tree follows it.
 *
 * @throws SealrootError as {@link transformForBoot}
 */
export function* transformForBootBothWays(
  root: DirectoryNode,
  policy: SelinuxPolicy | undefined,
): Generator<BootTimes, void> {
  const directories = EMPTIED.map((name) => requiredDirectory(root, name));
  const ownNanoseconds = directories.map(({ metadata }) => metadata.mtimeNanoseconds);
  transformForBoot(root, policy, "full");
  yield "full";
  for (const [index, { metadata }] of directories.entries()) {
    metadata.mtimeNanoseconds = ownNanoseconds[index] ?? 0;
  }
  yield "seconds";
}

class Labeller {
  readonly #policy: SelinuxPolicy | undefined;
  readonly #labelled = new Set<LeafNode>();

  constructor(policy: SelinuxPolicy | undefined) {
    this.#policy = policy;
  }

  /** Labels a node and everything below it; `path` is after the policy's substitutions up to here. */
  label(directory: DirectoryNode, path: ByteString): void {
    const ownPath = this.#policy?.substitute(path) ?? path;
    setLabel(directory.metadata, this.#labelOf(ownPath, "directory"));
    const entries = [...directory.entries].sort(([a], [b]) => compareByteStrings(a, b));
    for (const [name, child] of entries) {
      const childPath = joinPath(ownPath, name);
      if (child.kind === "directory") this.label(child, childPath);
      else directory.entries.set(name, this.#labelLeaf(child, this.#policy?.substitute(childPath) ?? childPath));
    }
  }

  /**
   * The inode of the name from now on: a name whose label differs from that of the inode's first name gets its own
   * copy.
   */
  #labelLeaf(leaf: LeafNode, path: ByteString): LeafNode {
    const label = this.#labelOf(path, leaf.kind);
    if (!this.#labelled.has(leaf)) {
      this.#labelled.add(leaf);
      setLabel(leaf.metadata, label);
      return leaf;
    }
    if (sameLabel(leaf.metadata.xattrs.get(LABEL_XATTR), label)) return leaf;
    const copy: LeafNode = { ...leaf, metadata: copyMetadata(leaf.metadata) };
    setLabel(copy.metadata, label);
    return copy;
  }

  #labelOf(path: ByteString, kind: TreeNode["kind"]): Uint8Array | undefined {
    return this.#policy?.labelOf(path, kind);
  }
}

function setLabel(metadata: Metadata, label: Uint8Array | undefined): void {
  if (label === undefined && !metadata.xattrs.has(LABEL_XATTR)) return;
  const xattrs = new Map(metadata.xattrs);
  if (label === undefined) xattrs.delete(LABEL_XATTR);
  else xattrs.set(LABEL_XATTR, label);
  metadata.xattrs = xattrs;
}

function sameLabel(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || toHex(a) === toHex(b);
}
