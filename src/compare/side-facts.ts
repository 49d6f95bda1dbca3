/** What is true of one side as a whole, by which its differences are explained. */
import { allDirectories, type DirectoryNode, type LeafNode, type Metadata } from "../tree/index.ts";
import type { LayerHistory } from "./layer-history.ts";
import { sizeOf } from "./values.ts";

/** Both sides have this, one is called A and the other B. */
export class SideFacts {
  readonly label: "A" | "B";
  readonly root: DirectoryNode;
  /** Of an image whose layers were read. */
  readonly history: LayerHistory | undefined;
  /** Somebody else made the tree of its layers, and may have passed over their whiteouts. */
  readonly isUnpacked: boolean;
  #totals: SideTotals | undefined;

  constructor(label: "A" | "B", side: Pick<SideFacts, "root" | "history" | "isUnpacked">) {
    this.label = label;
    this.root = side.root;
    this.history = side.history;
    this.isUnpacked = side.isUnpacked;
  }

  /** Few differences ask for them. */
  get totals(): SideTotals {
    this.#totals ??= totalsOf(this.root);
    return this.#totals;
  }
}

export interface SideTotals {
  /** Inodes: names of one file count once. */
  readonly inodes: number;
  readonly directories: number;
  /** Of regular files, each once. */
  readonly contentBytes: number;
  /** The owner of everything, if it is one. */
  readonly onlyUid: number | undefined;
  readonly onlyGid: number | undefined;
  /** False: no time has a fraction. */
  readonly hasNanoseconds: boolean;
}

export function totalsOf(root: DirectoryNode): SideTotals {
  const count = new Count();
  for (const directory of allDirectories(root)) {
    count.add(directory.metadata);
    count.directories++;
    for (const node of directory.entries.values()) if (node.kind !== "directory") count.addLeaf(node);
  }
  return count.totals();
}

class Count {
  directories = 0;
  #contentBytes = 0;
  #hasNanoseconds = false;
  readonly #uids = new Set<number>();
  readonly #gids = new Set<number>();
  readonly #leaves = new Set<LeafNode>();

  add({ uid, gid, mtimeNanoseconds }: Metadata): void {
    this.#uids.add(uid);
    this.#gids.add(gid);
    this.#hasNanoseconds ||= mtimeNanoseconds !== 0;
  }

  addLeaf(leaf: LeafNode): void {
    const known = this.#leaves.size;
    if (this.#leaves.add(leaf).size === known) return;
    if (leaf.kind === "file") this.#contentBytes += sizeOf(leaf.content);
    this.add(leaf.metadata);
  }

  totals(): SideTotals {
    const only = (ids: Set<number>) => (ids.size === 1 ? [...ids][0] : undefined);
    return {
      inodes: this.directories + this.#leaves.size,
      directories: this.directories,
      contentBytes: this.#contentBytes,
      onlyUid: only(this.#uids),
      onlyGid: only(this.#gids),
      hasNanoseconds: this.#hasNanoseconds,
    };
  }
}
