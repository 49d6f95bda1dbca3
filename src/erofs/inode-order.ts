/** Which inodes an image has and in which order (spec/erofs.md 2.4, 2.5 and steps 3 and 5 of 3.4). */
import { type ByteString, compareByteStrings } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import {
  type DirectoryNode,
  type DumpDialect,
  directoryLinkCount,
  hardLinkCounts,
  type LeafNode,
  quotePath,
  type TreeNode,
} from "../tree/index.ts";
import { listDirectory } from "./directory-data.ts";
import type { Epoch } from "./format.ts";
import { Inode, type PendingDirectory } from "./inode.ts";
import { type PrimaryName, primaryNames } from "./primary-name.ts";
import { looksLikeStub, missingStubs } from "./stubs.ts";

export interface InodeCollection {
  /** In the order of the image, the root first. */
  readonly inodes: readonly Inode[];
  /** Whether the tree has a character device 0/0 of its own. */
  readonly hasWhiteout: boolean;
}

/**
 * Makes the inodes of a tree and the listings of its directories, in the epoch's order.
 * @throws SealrootError `unsupported` for a whiteout with several names, which no reference tool reads back
 */
export function collectInodes(root: DirectoryNode, epoch: Epoch, dialect: DumpDialect): InodeCollection {
  const collector = new InodeCollector(root, epoch, dialect);
  if (epoch === 1) collector.collectBreadthFirst();
  else collector.collectDepthFirst();
  return collector;
}

/** A directory's entries in byte order, without `.` and `..`. */
interface ChildList {
  readonly names: readonly ByteString[];
  readonly inodes: readonly Inode[];
}

class InodeCollector implements InodeCollection {
  readonly inodes: Inode[] = [];
  hasWhiteout = false;
  readonly #root: DirectoryNode;
  readonly #epoch: Epoch;
  readonly #dialect: DumpDialect;
  readonly #linkCounts: ReadonlyMap<TreeNode, number>;
  readonly #primaries: ReadonlyMap<TreeNode, PrimaryName>;
  readonly #hardLinked = new Map<TreeNode, Inode>();

  constructor(root: DirectoryNode, epoch: Epoch, dialect: DumpDialect) {
    this.#root = root;
    this.#epoch = epoch;
    this.#dialect = dialect;
    const linkCounts = hardLinkCounts(root);
    this.#linkCounts = linkCounts;
    this.#primaries = epoch === 1 ? primaryNames(root, linkCounts, dialect === "c") : new Map();
  }

  /** Epoch 1: the queue's order is the inodes' order; a hard-linked inode is at its primary name. */
  collectBreadthFirst(): void {
    const queue = [this.#rootDirectory()];
    for (let index = 0; index < queue.length; index++) {
      const directory = queue[index] as PendingDirectory;
      const { names, inodes } = this.#addListing(directory);
      for (let at = 0; at < inodes.length; at++) {
        const child = inodes[at] as Inode;
        const primary = this.#primaries.size === 0 ? undefined : this.#primaries.get(child.node);
        if (primary !== undefined && (primary.parent !== directory.node || primary.name !== names[at])) continue;
        this.#append(child);
        if (child.node.kind === "directory") {
          queue.push({ inode: child, node: child.node, parent: directory.inode });
        }
      }
    }
  }

  /** Epoch 2: pre-order; a hard-linked inode is at the first name that the walk meets. */
  collectDepthFirst(): void {
    const first = this.#rootDirectory();
    const stack = [{ directory: first, children: this.#addListing(first).inodes.values() }];
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const next = frame.children.next();
      if (next.done === true) {
        stack.pop();
        continue;
      }
      const child = next.value;
      if (child.sequence === -1) this.#append(child);
      if (child.node.kind !== "directory") continue;
      const directory = { inode: child, node: child.node, parent: frame.directory.inode };
      stack.push({ directory, children: this.#addListing(directory).inodes.values() });
    }
  }

  #rootDirectory(): PendingDirectory {
    const inode = new Inode(this.#root, directoryLinkCount(this.#root), false);
    this.#append(inode);
    return { inode, node: this.#root, parent: inode };
  }

  #append(inode: Inode): void {
    inode.sequence = this.inodes.length;
    this.inodes.push(inode);
  }

  /** Makes the children's inodes and the directory's listing. */
  #addListing({ inode, node, parent }: PendingDirectory): ChildList {
    const stubs = this.#epoch === 1 && node === this.#root ? missingStubs(node) : new Map<ByteString, LeafNode>();
    const names = [...node.entries.keys(), ...stubs.keys()].sort(compareByteStrings);
    const inodes = names.map((name) => {
      const child = node.entries.get(name);
      return child === undefined ? new Inode(stubs.get(name) ?? node, 1, false) : this.#childInode(node, name, child);
    });
    inode.listing = listDirectory(inode, parent, names, inodes);
    return { names, inodes };
  }

  #childInode(directory: DirectoryNode, name: ByteString, node: TreeNode): Inode {
    if (node.kind === "directory") return new Inode(node, directoryLinkCount(node), false);
    const names = this.#linkCounts.get(node) ?? 1;
    const known = names > 1 ? this.#hardLinked.get(node) : undefined;
    if (known !== undefined) return known;
    const inode = new Inode(node, this.#storedLinkCount(node, names), this.#isEscaped(directory, name, node, names));
    if (names > 1) this.#hardLinked.set(node, inode);
    return inode;
  }

  #storedLinkCount(node: LeafNode, names: number): number {
    return this.#dialect === "c" ? (node.stated?.linkCount ?? names) : names;
  }

  #isEscaped(directory: DirectoryNode, name: ByteString, node: LeafNode, names: number): boolean {
    if (node.kind !== "character-device" || node.rdev !== 0) return false;
    this.hasWhiteout = true;
    if (names > 1) {
      throw new SealrootError("unsupported", `Cannot write EROFS image: whiteout ${quotePath(name)} has hard links`);
    }
    if (this.#epoch === 2) return false;
    const isRoot = directory === this.#root;
    return !(this.#dialect === "rs" && isRoot && looksLikeStub(this.#root.metadata, name, node));
  }
}
