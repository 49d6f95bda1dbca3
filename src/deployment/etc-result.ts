/** The `/etc` of the next deployment as a tree: the new image's with the changes of this host (spec/host-lifecycle.md 7). */
import type { ByteString } from "../bytes/index.ts";
import {
  cloneTree,
  type DirectoryNode,
  type FileNode,
  hardLinkCounts,
  type LeafNode,
  lookupPath,
  newDirectory,
  type TreeNode,
  walkTree,
} from "../tree/index.ts";
import { sameLeaf } from "./etc-compare.ts";
import { ETC_ITSELF, type EtcDiff } from "./etc-diff.ts";

export interface MergedEtc {
  readonly root: DirectoryNode;
  /** Files of it whose content is the host's, with a path relative to `/etc` where it is. */
  readonly localFiles: ReadonlyMap<FileNode, ByteString>;
}

/**
 * Puts the changes of this host into the tree of the new image. An added or modified path is as it is here, a removed one
 * is gone, even if the image has changed it; everything else is the image's. There is no merge inside a file.
 *
 * Names that share an inode here share it there. With a name that was not changed they do only where that file is still
 * the same in the new image: else each keeps the content it should have.
 *
 * @param next stays as it is
 * @param conflictsTo who has it where `diff` has a conflict; the image then also has what is below
 */
export function mergeEtcTrees(
  current: DirectoryNode,
  next: DirectoryNode,
  diff: EtcDiff,
  conflictsTo: "host" | "image",
): MergedEtc {
  const lost = new Set(conflictsTo === "image" ? diff.conflicts.map(({ path }) => path) : []);
  const changed = [...diff.added, ...diff.modified].filter((path) => !isAtOrBelow(path, lost));
  const merge = new TreeMerge(current, cloneTree(next), new Set(changed));
  for (const path of changed) merge.put(path);
  for (const path of diff.removed) merge.remove(path);
  return merge;
}

function isAtOrBelow(path: ByteString, places: ReadonlySet<ByteString>): boolean {
  if (places.size === 0) return false;
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    if (places.has(path.slice(0, slash) as ByteString)) return true;
  }
  return places.has(path);
}

class TreeMerge implements MergedEtc {
  readonly root: DirectoryNode;
  readonly localFiles = new Map<FileNode, ByteString>();
  readonly #current: DirectoryNode;
  /** Names that were not changed, of inodes that have others which were. */
  readonly #unchangedNames = new Map<LeafNode, ByteString[]>();
  /** What takes the place of an inode of this host. */
  readonly #leaves = new Map<LeafNode, LeafNode>();

  /** @param root is changed in place */
  constructor(current: DirectoryNode, root: DirectoryNode, changed: ReadonlySet<ByteString>) {
    this.#current = current;
    this.root = root;
    const linked = hardLinkCounts(current);
    if (linked.size === 0) return;
    for (const { node, path } of walkTree(current)) {
      const name = path.slice(1) as ByteString;
      if (node.kind === "directory" || !linked.has(node) || changed.has(name)) continue;
      const names = this.#unchangedNames.get(node);
      if (names === undefined) this.#unchangedNames.set(node, [name]);
      else names.push(name);
    }
  }

  /** Makes a path what it is on this host; of a directory that is there its own metadata only. */
  put(path: ByteString): void {
    if (path === ETC_ITSELF) {
      Object.assign(this.root.metadata, this.#current.metadata);
      return;
    }
    const { parent, name } = splitLast(path);
    const node = this.#onHost(path);
    const { entries } = this.#directory(parent);
    if (node.kind !== "directory") {
      entries.set(name, this.#leaf(path, node));
      return;
    }
    const there = entries.get(name);
    if (there?.kind === "directory") Object.assign(there.metadata, node.metadata);
    else entries.set(name, newDirectory({ ...node.metadata }));
  }

  remove(path: ByteString): void {
    const { parent, name } = splitLast(path);
    const directory = lookupPath(this.root, parent);
    if (directory?.kind === "directory") directory.entries.delete(name);
  }

  /** The directory at this path, made as on this host where the image has none or something else. */
  #directory(path: ByteString): DirectoryNode {
    const there = lookupPath(this.root, path);
    if (there?.kind === "directory") return there;
    const { parent, name } = splitLast(path);
    const made = newDirectory({ ...this.#onHost(path).metadata });
    this.#directory(parent).entries.set(name, made);
    return made;
  }

  #onHost(path: ByteString): TreeNode {
    const node = lookupPath(this.#current, path);
    if (node === undefined) throw new Error(`unreachable: ${path} was changed and is not there`);
    return node;
  }

  #leaf(path: ByteString, node: LeafNode): LeafNode {
    const known = this.#leaves.get(node);
    if (known !== undefined) return known;
    const leaf = this.#unchangedLeaf(node) ?? node;
    this.#leaves.set(node, leaf);
    if (leaf === node && node.kind === "file") this.localFiles.set(node, path);
    return leaf;
  }

  /** The image's own inode for one that has a name in it which is still the same. */
  #unchangedLeaf(node: LeafNode): LeafNode | undefined {
    for (const path of this.#unchangedNames.get(node) ?? []) {
      const there = lookupPath(this.root, path);
      if (there !== undefined && there.kind !== "directory" && sameLeaf(there, node, path)) return there;
    }
    return undefined;
  }
}

function splitLast(path: ByteString): { readonly parent: ByteString; readonly name: ByteString } {
  const slash = path.lastIndexOf("/");
  return { parent: path.slice(0, Math.max(slash, 0)) as ByteString, name: path.slice(slash + 1) as ByteString };
}
