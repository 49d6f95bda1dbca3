/** An image read back as a tree, with every check of spec/erofs.md 8. */
import {
  DEPTH_MAX,
  DIRENT_TYPES,
  type DirectoryNode,
  type LeafNode,
  newDirectory,
  quotePath,
  type TreeNode,
} from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { LAYOUT_CHUNKED, SLOT_BYTES, STUB_NAMES, SUPERBLOCK_OFFSET } from "./format.ts";
import { ClaimMap } from "./read-claims.ts";
import { type RawEntry, readDirectory } from "./read-directory.ts";
import { expectField, imageError } from "./read-error.ts";
import { inodeData, type RawInode, readInode } from "./read-inode.ts";
import { algorithmOfObject, metadataOf, readLeaf } from "./read-leaf.ts";
import { userXattrs, withoutDirectoryMarks } from "./read-marks.ts";
import { type ImageHeader, readImageHeader } from "./read-superblock.ts";
import { XattrReader } from "./read-xattrs.ts";

/** What an image holds. */
export interface ErofsImage {
  /** composefs_version of the header: 0, 1 or 2; the form to give {@link writeErofs} to write it again. */
  readonly version: 0 | 1 | 2;
  readonly root: DirectoryNode;
  /** Of the digests that name objects; undefined if no file names one. */
  readonly algorithm: VerityAlgorithm | undefined;
}

/**
 * Reads an image of any form and refuses what no writer makes: see spec/erofs.md 8 for the rules.
 *
 * The stubs of epoch 1 and all marks that its writers add are removed again. File contents and attribute values are
 * views of `bytes`, which must not change afterwards.
 * @throws SealrootError `corrupt` with the offset and the rule
 */
export function readErofs(bytes: Uint8Array): ErofsImage {
  return new TreeReader(readImageHeader(bytes)).read();
}

/** The digests of all objects that an image names, each once, in ascending order. */
export function listErofsObjects(bytes: Uint8Array): string[] {
  return [...erofsObjects(bytes)].sort();
}

/** The same, unordered, for look-ups. */
export function erofsObjects(bytes: Uint8Array): Set<string> {
  const objects = new Set<string>();
  const stack: TreeNode[] = [readErofs(bytes).root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.kind === "directory") for (const child of node.entries.values()) stack.push(child);
    else if (node.kind === "file" && node.content.type === "external" && node.content.objectId !== undefined) {
      objects.add(node.content.objectId);
    }
  }
  return objects;
}

/** A directory whose entries are still to be read. */
interface PendingDirectory {
  readonly node: DirectoryNode;
  readonly inode: RawInode;
  readonly parentNid: number;
  readonly depth: number;
}

const NO_DATA = { blocks: new Uint8Array(0), tail: new Uint8Array(0) };

class TreeReader {
  readonly #image: ImageHeader;
  readonly #xattrs: XattrReader;
  /** One set bit per slot: inodes that some entry has named. */
  readonly #seen: Uint8Array;
  readonly #claims: ClaimMap;
  readonly #hardLinked = new Map<number, { readonly leaf: LeafNode; readonly inode: RawInode; names: number }>();
  readonly #pending: PendingDirectory[] = [];
  #inodeCount = 0;
  #algorithm: VerityAlgorithm | undefined;

  constructor(image: ImageHeader) {
    this.#image = image;
    this.#xattrs = new XattrReader(image);
    this.#seen = new Uint8Array(Math.ceil(image.bytes.length / SLOT_BYTES / 8) + 1);
    this.#claims = new ClaimMap(image.bytes.length);
  }

  read(): ErofsImage {
    const inode = readInode(this.#image, this.#image.rootNid);
    if (inode.kind !== "directory") throw imageError(inode.offset + 4, "the root is not a directory");
    const root = this.#addDirectory(inode, inode.nid, 0);
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) this.#readEntries(next, root);
    for (const { inode: leaf, names } of this.#hardLinked.values()) {
      expectField(leaf.offset, "link count", leaf.linkCount, names);
    }
    expectField(SUPERBLOCK_OFFSET + 16, "number of inodes", this.#image.inodeCount, this.#inodeCount);
    return { version: this.#image.version, root, algorithm: this.#algorithm };
  }

  #addDirectory(inode: RawInode, parentNid: number, depth: number): DirectoryNode {
    if (depth > DEPTH_MAX) throw imageError(inode.offset, `directories nested deeper than ${DEPTH_MAX}`);
    if (this.#markSeen(inode.nid)) throw imageError(inode.offset, "a directory with two names");
    if (inode.layout === LAYOUT_CHUNKED) throw imageError(inode.offset, "a directory in chunks");
    this.#claim(inode);
    const node = newDirectory();
    this.#pending.push({ node, inode, parentNid, depth });
    return node;
  }

  #readEntries({ node, inode, parentNid, depth }: PendingDirectory, root: DirectoryNode): void {
    let linkCount = 2;
    let holdsWhiteouts = false;
    const stubNames = new Set(this.#image.epoch === 1 && node === root ? STUB_NAMES : []);
    for (const entry of readDirectory(this.#image, inode, parentNid)) {
      const childInode = this.#childInode(entry);
      const mayBeStub = stubNames.delete(entry.name);
      if (childInode.kind === "directory") {
        node.entries.set(entry.name, this.#addDirectory(childInode, inode.nid, depth + 1));
        linkCount++;
        continue;
      }
      const leaf = this.#leaf(childInode);
      if (leaf.kind === "character-device" && leaf.rdev === 0 && this.#image.epoch === 1) {
        if (mayBeStub && childInode.kind !== "file") continue;
        if (childInode.kind !== "file")
          throw imageError(childInode.offset, "a device 0/0 that is not an entry of the root");
        holdsWhiteouts = true;
      }
      node.entries.set(entry.name, leaf);
    }
    for (const name of stubNames) throw imageError(inode.offset, `the root has no entry "${name}"`);
    expectField(inode.offset, "link count", inode.linkCount, linkCount);
    this.#setMetadata(node, inode, holdsWhiteouts);
  }

  #setMetadata(node: DirectoryNode, inode: RawInode, holdsWhiteouts: boolean): void {
    const stored = this.#xattrs.read(inode);
    const own = holdsWhiteouts ? withoutDirectoryMarks(stored, this.#image.version) : stored;
    Object.assign(node.metadata, metadataOf(inode, userXattrs(own, inode.offset)));
  }

  #childInode(entry: RawEntry): RawInode {
    const inode = readInode(this.#image, entry.nid);
    if (DIRENT_TYPES[inode.kind] !== entry.type) {
      throw imageError(entry.offset + 10, `entry ${quotePath(entry.name)} has type ${entry.type} for a ${inode.kind}`);
    }
    return inode;
  }

  #leaf(inode: RawInode): LeafNode {
    const known = this.#hardLinked.get(inode.nid);
    if (known !== undefined) {
      known.names++;
      return known.leaf;
    }
    if (this.#markSeen(inode.nid)) throw imageError(inode.offset, "link count is 1 for an inode with two names");
    this.#claim(inode);
    const leaf = readLeaf(this.#image, inode, this.#xattrs.read(inode));
    this.#checkAlgorithm(leaf, inode);
    if (inode.linkCount !== 1) this.#hardLinked.set(inode.nid, { leaf, inode, names: 1 });
    const isWhiteout = leaf.kind === "character-device" && leaf.rdev === 0;
    if (isWhiteout && inode.linkCount !== 1) throw imageError(inode.offset, "a whiteout with hard links");
    return leaf;
  }

  #checkAlgorithm(leaf: LeafNode, inode: RawInode): void {
    if (leaf.kind !== "file" || leaf.content.type === "inline" || leaf.content.objectId === undefined) return;
    const algorithm = algorithmOfObject(leaf.content.objectId);
    this.#algorithm ??= algorithm;
    if (algorithm !== this.#algorithm)
      throw imageError(inode.offset, `a ${algorithm} digest beside ${this.#algorithm}`);
  }

  /** The inode with its tail, and its data blocks. Chunk indexes are checked but not kept: they may be anywhere. */
  #claim(inode: RawInode): void {
    const hasData = inode.layout !== LAYOUT_CHUNKED && inode.sizeBytes > 0;
    const { blocks, tail } = hasData ? inodeData(this.#image, inode) : NO_DATA;
    this.#claims.claim(inode.offset, inode.tailOffset + tail.length);
    const start = blocks.byteOffset - this.#image.bytes.byteOffset;
    if (blocks.length > 0) this.#claims.claim(start, start + blocks.length);
  }

  /** Whether the inode was named before; counts it if not. */
  #markSeen(nid: number): boolean {
    const byte = nid >> 3;
    const bit = 1 << (nid & 7);
    const value = this.#seen[byte] ?? 0;
    if ((value & bit) !== 0) return true;
    this.#seen[byte] = value | bit;
    this.#inodeCount++;
    return false;
  }
}
