/** A tree of the repository unpacked into a directory. */
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ByteString, bytesOf } from "../../bytes/index.ts";
import { asSealrootError, reasonOf, SealrootError } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import { makeNode, temporaryDirectory } from "../../platform/index.ts";
import {
  type DirectoryNode,
  FILE_TYPE_BITS,
  hardLinkCounts,
  joinPath,
  type LeafNode,
  quotePath,
  sortedNames,
  type TreeNode,
} from "../../tree/index.ts";
import type { Repository } from "../repository.ts";
import { ContentWriter, type OtherContents } from "./extract-content.ts";
import { type MetadataRules, setModeAndTime, setOwnerAndXattrs } from "./extract-metadata.ts";
import { callerIds, isDevice, type PrivilegedParts, privilegedParts, refusePrivilegedParts } from "./extract-rights.ts";

export interface ExtractOptions extends MetadataRules {
  readonly reporter?: StepReporter;
}

/** Of directories until everything is in them. */
const PRIVATE_MODE = 0o700;
/** After this many inodes, signals and other work get a turn. */
const INODES_A_TURN = 256;

/**
 * Unpacks a tree into a new or empty directory. It is built under a hidden name beside that, which no other user can
 * enter, and renamed when it is complete.
 *
 * Every name is used inside the open directory that it belongs to, so neither a link nor the length of a path leads
 * elsewhere.
 *
 * @param path the directory; its parent must exist
 * @returns what was left out according to `options`
 * @throws SealrootError `exists` when the directory is not empty; `no-access` when root is needed; `corrupt` …
 */
export async function extractTree(
  repository: Repository,
  root: DirectoryNode,
  path: string,
  options: ExtractOptions,
): Promise<PrivilegedParts> {
  const target = resolve(path);
  requireNewOrEmpty(target);
  const caller = callerIds();
  const parts = privilegedParts(root, caller);
  if (options.sameOwner && caller.uid !== 0) refusePrivilegedParts(parts);
  using hidden = hiddenSibling(target);
  const xattrHint = "--no-xattrs leaves all attributes out";
  await fillDirectory(repository, root, hidden.path, { ...options, xattrHint });
  try {
    renameSync(hidden.path, target);
  } catch (error) {
    throw asSealrootError(error, `Cannot give the extracted tree its name ${path}`, {
      path: target,
      hint: "extract into a directory that does not exist yet",
    });
  }
  return parts;
}

/**
 * Unpacks a tree into a directory of the caller's, which gets the metadata of the tree's root at the end.
 *
 * @param path an empty directory of mode 0700: nobody else may enter it while names are made in it
 * @param otherContents of files whose content is not in the repository
 * @throws SealrootError naming the path in the tree
 */
export async function fillDirectory(
  repository: Repository,
  root: DirectoryNode,
  path: string,
  options: ExtractOptions,
  otherContents?: OtherContents,
): Promise<void> {
  await new TreeExtraction(root, options, new ContentWriter(repository.objects, otherContents)).run(path);
}

function requireNewOrEmpty(target: string): void {
  try {
    const found = lstatSync(target, { throwIfNoEntry: false });
    if (found === undefined || (found.isDirectory() && readdirSync(target).length === 0)) return;
  } catch (error) {
    throw asSealrootError(error, `Cannot extract into ${target}`, { path: target });
  }
  throw new SealrootError("exists", `Cannot extract into ${target}: it is not an empty directory`, { path: target });
}

function hiddenSibling(target: string): ReturnType<typeof temporaryDirectory> {
  try {
    return temporaryDirectory({ parent: dirname(target), purpose: "extract" });
  } catch (error) {
    throw asSealrootError(error, `Cannot extract into ${target}`, { path: target });
  }
}

class TreeExtraction {
  readonly #root: DirectoryNode;
  readonly #options: ExtractOptions;
  readonly #contents: ContentWriter;
  readonly #hardLinked: ReadonlyMap<LeafNode, number>;
  /** The first names of hard-linked inodes, as paths in the tree. */
  readonly #firstPaths = new Map<LeafNode, ByteString>();
  #rootFd = -1;
  #inodes = 0;

  constructor(root: DirectoryNode, options: ExtractOptions, contents: ContentWriter) {
    this.#root = root;
    this.#options = options;
    this.#contents = contents;
    this.#hardLinked = hardLinkCounts(root);
  }

  /** @param path an empty directory of mode 0700 */
  async run(path: string): Promise<void> {
    this.#rootFd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await this.#fill(this.#rootFd, "/" as ByteString, this.#root);
      this.#finishAll(this.#rootFd, "/" as ByteString, this.#root);
    } finally {
      closeSync(this.#rootFd);
    }
    const ownPath = Buffer.from(path);
    naming("/" as ByteString, () => {
      setOwnerAndXattrs(ownPath, this.#root, this.#options);
      setModeAndTime(ownPath, this.#root, this.#options);
    });
  }

  /** Makes everything in an open directory. Its own metadata wait: a default ACL must not reach what is made here. */
  async #fill(directoryFd: number, path: ByteString, directory: DirectoryNode): Promise<void> {
    for (const name of sortedNames(directory)) {
      const child = directory.entries.get(name) as TreeNode;
      const childPath = joinPath(path, name);
      const place = placeIn(directoryFd, name);
      if (child.kind === "directory") {
        const fd = naming(childPath, () => makeDirectory(place));
        try {
          await this.#fill(fd, childPath, child);
        } finally {
          closeSync(fd);
        }
        naming(childPath, () => setOwnerAndXattrs(place, child, this.#options));
      } else naming(childPath, () => this.#makeLeaf(place, childPath, child));
      if (++this.#inodes % INODES_A_TURN === 0) await nextTurn();
      this.#options.reporter?.progress(this.#inodes, undefined, "items");
    }
  }

  #makeLeaf(place: Buffer, path: ByteString, node: LeafNode): void {
    if (isDevice(node) && !this.#options.sameOwner) return;
    const firstPath = this.#firstPaths.get(node);
    if (firstPath !== undefined) {
      linkSync(placeIn(this.#rootFd, firstPath.slice(1) as ByteString), place);
      return;
    }
    if (this.#hardLinked.has(node)) this.#firstPaths.set(node, path);
    if (node.kind === "file") this.#contents.write(place, node);
    else if (node.kind === "symlink") symlinkSync(bufferOf(node.target), place);
    else makeNode(place, FILE_TYPE_BITS[node.kind] | 0o600, "rdev" in node ? node.rdev : 0);
    setOwnerAndXattrs(place, node, this.#options);
    setModeAndTime(place, node, this.#options);
  }

  /** Modes and times of all directories below an open one, deepest first: nothing more is made. */
  #finishAll(directoryFd: number, path: ByteString, directory: DirectoryNode): void {
    for (const [name, child] of directory.entries) {
      if (child.kind !== "directory") continue;
      const childPath = joinPath(path, name);
      const place = placeIn(directoryFd, name);
      const fd = naming(childPath, () => openDirectory(place));
      try {
        this.#finishAll(fd, childPath, child);
      } finally {
        closeSync(fd);
      }
      naming(childPath, () => setModeAndTime(place, child, this.#options));
    }
  }
}

/** The path of a name in an open directory. */
function placeIn(directoryFd: number, name: ByteString): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${directoryFd}/`), bytesOf(name)]);
}

function makeDirectory(place: Buffer): number {
  mkdirSync(place, PRIVATE_MODE);
  return openDirectory(place);
}

function openDirectory(place: Buffer): number {
  return openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function bufferOf(string: ByteString): Buffer {
  return Buffer.from(string, "latin1");
}

/** Where an inode is made, by descriptor: meaningless to the user. */
const DESCRIPTOR_PATH = / (?:-> )?'\/proc\/self\/fd\/[^']*'/g;

/** Runs one step for a path of the image, which its error then names. */
function naming<T>(path: ByteString, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const action = `Cannot extract ${quotePath(path)}`;
    const { code, data } = asSealrootError(error, action);
    const reason = reasonOf(error).replace(DESCRIPTOR_PATH, "");
    throw new SealrootError(code, `${action}: ${reason}`, { ...data, path }, error);
  }
}
