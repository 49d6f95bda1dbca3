/** What the layers of an image did to its tree, as far as it explains why an unpacked copy differs. */
import type { ByteString } from "../bytes/index.ts";
import { type DirectoryNode, joinPath, type LayerEntry, splitPath, type TreeNode } from "../tree/index.ts";

/**
 * A directory whose contents changed after its own entry was read: programs that unpack archives leave it with the time of
 * the unpacking, merged layers with that of its entry.
 */
export interface UnlistedChange {
  /** Index of the layer that changed it. */
  readonly layer: number;
  /** Of the entry that did. */
  readonly path: ByteString;
  /**
   * `unlisted`: by a layer that has no entry for the directory; `returned`: in the layer of its entry, but after one that is
   * outside of the directory (GNU tar sets times once it leaves a directory).
   */
  readonly how: "unlisted" | "returned";
}

interface DirectoryRecord {
  /** The layer with its last entry; undefined for the root of layers that have none. */
  listed: number | undefined;
  change?: UnlistedChange;
}

const OPAQUE = ".wh..wh..opq";
const WHITEOUT_PREFIX = ".wh.";
/** What is remembered of removed paths: enough for every whiteout of a real image. */
const REMOVED_MAX = 100_000;

/** Watches the entries of all layers, each before it is applied. */
export class LayerHistory {
  readonly #layers: string[] = [];
  readonly #directories = new Map<DirectoryNode, DirectoryRecord>();
  readonly #leaves = new Map<TreeNode, number>();
  readonly #removed = new Map<ByteString, number>();
  /** Directories of the current layer whose entry was read and that no entry outside has followed. */
  #open: DirectoryNode[] = [];
  /** Where the entry before was put, if it was a file or the like: the path of the directory as in the archive. */
  #lastLeaf: { readonly folder: string; readonly parent: DirectoryNode } | undefined;

  /** The layers from now on have another. @param description for people, such as the command that made it */
  beginLayer(description: string): void {
    this.#layers.push(description);
    this.#open = [];
    this.#lastLeaf = undefined;
  }

  /** @param root of the tree that the entry is about to be applied to; entries that cannot be applied are passed over */
  observe(root: DirectoryNode, entry: LayerEntry): void {
    const layer = this.#layers.length - 1;
    const { path } = entry;
    const slash = path.lastIndexOf("/");
    const isLeaf = entry.type === "hardlink" || entry.node.kind !== "directory";
    const last = this.#lastLeaf;
    this.#lastLeaf = undefined;
    // Files of one directory follow each other: what is above them has not changed.
    if (
      last !== undefined &&
      isLeaf &&
      last.folder === path.slice(0, slash) &&
      !path.startsWith(WHITEOUT_PREFIX, slash + 1)
    ) {
      this.#lastLeaf = last;
      this.#putLeaf(last.parent, entry, layer);
      return;
    }
    const components = splitPath(path);
    const name = components.pop();
    if (name === undefined) {
      this.#list(root, layer);
      return;
    }
    const above = [root];
    for (const component of components) {
      const child = above.at(-1)?.entries.get(component);
      if (child?.kind !== "directory") return;
      above.push(child);
    }
    const parent = above.at(-1) as DirectoryNode;
    const existing = parent.entries.get(name);
    const directories = existing?.kind === "directory" ? [...above, existing] : above;
    while (this.#open.length > 0 && !directories.includes(this.#open.at(-1) as DirectoryNode)) this.#open.pop();
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#remove(parent, name, path, layer);
    } else if (isLeaf) {
      this.#putLeaf(parent, entry, layer);
      if (slash >= 0) this.#lastLeaf = { folder: path.slice(0, slash), parent };
    } else {
      this.#forgetRemoved(path);
      if (existing?.kind !== "directory") this.#touch(parent, path, layer);
      this.#list(existing?.kind === "directory" ? existing : (entry.node as DirectoryNode), layer);
    }
  }

  #putLeaf(parent: DirectoryNode, entry: LayerEntry, layer: number): void {
    this.#forgetRemoved(entry.path);
    this.#touch(parent, entry.path, layer);
    if (entry.type === "inode") this.#leaves.set(entry.node, layer);
  }

  /** What was removed is there again. */
  #forgetRemoved(path: ByteString): void {
    if (this.#removed.size > 0) this.#removed.delete(absolute(path));
  }

  #remove(parent: DirectoryNode, name: ByteString, path: ByteString, layer: number): void {
    const whole = absolute(path);
    const parentPath = whole.slice(0, whole.length - name.length) as ByteString;
    const gone = name === OPAQUE ? [...parent.entries.keys()] : [name.slice(WHITEOUT_PREFIX.length) as ByteString];
    for (const each of gone) {
      if (!parent.entries.has(each)) continue;
      this.#touch(parent, path, layer);
      if (this.#removed.size < REMOVED_MAX) this.#removed.set(joinPath(parentPath, each), layer);
    }
  }

  #list(directory: DirectoryNode, layer: number): void {
    this.#directories.set(directory, { listed: layer });
    if (!this.#open.includes(directory)) this.#open.push(directory);
  }

  /** @param path as in the archive */
  #touch(directory: DirectoryNode, path: ByteString, layer: number): void {
    const record = this.#directories.get(directory);
    if (record !== undefined && record.listed === layer && this.#open.includes(directory)) return;
    const how = record?.listed === layer ? "returned" : "unlisted";
    const change: UnlistedChange = { layer, path: absolute(path), how };
    if (record === undefined) this.#directories.set(directory, { listed: undefined, change });
    else record.change = change;
  }

  /** The last change to a directory's contents that came after its entry. */
  changeOf(directory: TreeNode): UnlistedChange | undefined {
    return directory.kind === "directory" ? this.#directories.get(directory)?.change : undefined;
  }

  /** The layer that what is at a path came with, or for a directory its last entry. */
  layerOf(node: TreeNode): number | undefined {
    return node.kind === "directory" ? this.#directories.get(node)?.listed : this.#leaves.get(node);
  }

  /** The layer whose whiteout removed a path, or a directory above it. */
  removedBy(path: ByteString): number | undefined {
    for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/")) as ByteString) {
      const layer = this.#removed.get(at);
      if (layer !== undefined) return layer;
    }
    return undefined;
  }

  /** A layer in words, counted from 1. */
  describe(layer: number): string {
    const text = this.#layers[layer] ?? "";
    return `layer ${layer + 1}${text === "" ? "" : ` (${text})`}`;
  }
}

/** An archive's path as one from the root: `./usr/`, `/usr` and `usr` are the same. */
function absolute(path: ByteString): ByteString {
  return `/${splitPath(path).join("/")}` as ByteString;
}
