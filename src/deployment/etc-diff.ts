/**
 * What was changed in a host's `/etc`: the tree of the image it runs (pristine) against the live one (current), and where
 * that does not go with the image that comes next (spec/host-lifecycle.md 7).
 */
import { type ByteString, displayText } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import {
  type DirectoryNode,
  hardLinkCounts,
  type LeafNode,
  lookupPath,
  sortedNames,
  type TreeNode,
} from "../tree/index.ts";
import { sameLeaf, sameMetadata } from "./etc-compare.ts";

/** Paths are relative to `/etc`; {@link ETC_ITSELF} is the directory itself. Each path is in one of the first three. */
export interface EtcDiff {
  readonly added: readonly ByteString[];
  readonly modified: readonly ByteString[];
  /** A directory that is gone is one item. */
  readonly removed: readonly ByteString[];
  readonly conflicts: readonly EtcConflict[];
}

/** An added or modified path that is a directory here and something else in the next image, or the other way round. */
export interface EtcConflict {
  readonly path: ByteString;
  /** What it is on this host. */
  readonly local: "directory" | "file";
}

/** The path of the top directory, which only its owner, mode and attributes can change. */
export const ETC_ITSELF = "." as ByteString;

/**
 * Compares the live `/etc` with that of the image.
 *
 * Names are visited sorted by bytes, depth first. Owner, mode, all attributes, content, link target and device number
 * count; times do not. Names of one inode are compared each by itself. What makes them modified besides is that names
 * which are files of their own in the image are one file now; the reverse does not, since other tools copy an `/etc`
 * without its hard links.
 *
 * @param next `/etc` of the image that comes next. Absent: no conflicts are looked for. A directory that it no longer has
 *   is on the list before what was changed in it.
 * @throws SealrootError `corrupt`, `conflict` when contents cannot be compared
 */
export function diffEtc(pristine: DirectoryNode, current: DirectoryNode, next?: DirectoryNode): EtcDiff {
  const walk = new EtcWalk(joinedInodes(pristine, current));
  walk.compare(pristine, current, next ?? pristine);
  const removed: ByteString[] = [];
  findRemoved("", pristine, current, removed);
  const changed = [...walk.added, ...walk.modified];
  const conflicts = next === undefined ? [] : changed.flatMap((change) => conflictWith(next, change));
  return { added: walk.added.map(pathOf), modified: walk.modified.map(pathOf), removed, conflicts };
}

/** A conflict in bootc's words. */
export function etcConflictText({ path, local }: EtcConflict): string {
  const shown = displayText(path);
  if (local === "directory") return `Directory '${shown}' now defaults to a file in new etc`;
  return `File '${shown}' now defaults to a directory in new etc`;
}

/** @throws SealrootError `conflict` naming each, when there are any */
export function refuseEtcConflicts({ conflicts }: EtcDiff): void {
  if (conflicts.length === 0) return;
  throw new SealrootError("conflict", `Cannot merge /etc: ${conflicts.map(etcConflictText).join("; ")}`, {
    hint: "change /etc, or choose a side with --etc=keep or --etc=theirs",
  });
}

interface Change {
  readonly path: ByteString;
  readonly node: TreeNode;
}

function pathOf({ path }: Change): ByteString {
  return path;
}

class EtcWalk {
  readonly added: Change[] = [];
  readonly modified: Change[] = [];
  readonly #joined: ReadonlySet<LeafNode>;

  constructor(joined: ReadonlySet<LeafNode>) {
    this.#joined = joined;
  }

  compare(pristine: DirectoryNode, current: DirectoryNode, next: DirectoryNode): void {
    if (!sameMetadata(pristine, current)) this.modified.push({ path: ETC_ITSELF, node: current });
    this.#compareEntries("", pristine, current, next);
  }

  /** @param prefix of the paths: empty, or the directory's own with a slash */
  #compareEntries(prefix: string, pristine: DirectoryNode, current: DirectoryNode, next: TreeNode | undefined): void {
    for (const name of sortedNames(current)) {
      const node = current.entries.get(name) as TreeNode;
      const before = pristine.entries.get(name);
      const change = { path: `${prefix}${name}` as ByteString, node };
      if (node.kind !== "directory") {
        if (before === undefined) this.added.push(change);
        else if (this.#isModified(change.path, before, node)) this.modified.push(change);
      } else if (before?.kind === "directory") {
        this.#compareDirectory(
          change.path,
          before,
          node,
          next?.kind === "directory" ? next.entries.get(name) : undefined,
        );
      } else {
        (before === undefined ? this.added : this.modified).push(change);
        this.#addEntries(`${change.path}/`, node);
      }
    }
  }

  #compareDirectory(path: ByteString, before: DirectoryNode, node: DirectoryNode, next: TreeNode | undefined): void {
    const { added, modified } = this;
    const isModified = !sameMetadata(before, node);
    if (isModified) modified.push({ path, node });
    const [addedBefore, modifiedBefore] = [added.length, modified.length];
    this.#compareEntries(`${path}/`, before, node, next);
    if (isModified || next?.kind === "directory") return;
    if (added.length > addedBefore) added.splice(addedBefore, 0, { path, node });
    else if (modified.length > modifiedBefore) modified.splice(modifiedBefore, 0, { path, node });
  }

  #isModified(path: ByteString, before: TreeNode, node: LeafNode): boolean {
    return before.kind === "directory" || this.#joined.has(node) || !sameLeaf(before, node, path);
  }

  #addEntries(prefix: string, directory: DirectoryNode): void {
    for (const name of sortedNames(directory)) {
      const node = directory.entries.get(name) as TreeNode;
      const path = `${prefix}${name}` as ByteString;
      this.added.push({ path, node });
      if (node.kind === "directory") this.#addEntries(`${path}/`, node);
    }
  }
}

/** Inodes of the live tree whose names are those of several inodes of the image. */
function joinedInodes(pristine: DirectoryNode, current: DirectoryNode): Set<LeafNode> {
  const linked = hardLinkCounts(current);
  const counterparts = new Map<LeafNode, LeafNode>();
  const joined = new Set<LeafNode>();
  const visit = (before: DirectoryNode, now: DirectoryNode): void => {
    for (const [name, node] of now.entries) {
      const other = before.entries.get(name);
      if (node.kind === "directory") {
        if (other?.kind === "directory") visit(other, node);
      } else if (other !== undefined && other.kind !== "directory" && linked.has(node)) {
        if ((counterparts.get(node) ?? other) !== other) joined.add(node);
        counterparts.set(node, other);
      }
    }
  };
  if (linked.size > 0) visit(pristine, current);
  return joined;
}

function findRemoved(prefix: string, pristine: DirectoryNode, current: DirectoryNode, removed: ByteString[]): void {
  for (const name of sortedNames(pristine)) {
    const before = pristine.entries.get(name) as TreeNode;
    const node = current.entries.get(name);
    const path = `${prefix}${name}` as ByteString;
    if (node === undefined) removed.push(path);
    else if (before.kind === "directory" && node.kind === "directory") findRemoved(`${path}/`, before, node, removed);
  }
}

function conflictWith(next: DirectoryNode, { path, node }: Change): EtcConflict[] {
  const there = path === ETC_ITSELF ? next : lookupPath(next, path);
  if (there === undefined || (node.kind === "directory") === (there.kind === "directory")) return [];
  return [{ path, local: node.kind === "directory" ? "directory" : "file" }];
}
