/** A directory of the file system as a tree (spec/erofs.md 6, spec/oci.md 5). */

import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { type ByteString, byteString, byteStringOfText } from "../../bytes/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import {
  changedFile,
  type FileFacts,
  FileReadQueue,
  type FileScanContent,
  metadataOfStat,
  newObjectWorkers,
  type ObjectWorkers,
} from "../../objects/index.ts";
import { readXattrs } from "../../platform/index.ts";
import {
  type DirectoryNode,
  type FileContent,
  joinPath,
  kindOfMode,
  type LeafNode,
  type Metadata,
  NO_XATTRS,
  newDirectory,
} from "../../tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../../verity/index.ts";
import type { Repository } from "../repository.ts";
import { InodeTable } from "./inode-table.ts";

export interface ScanOptions {
  readonly algorithm: VerityAlgorithm;
  /** Where contents are stored as objects; if absent, only digests, and nothing is written. */
  readonly repository?: Repository;
  /** In place of a repository: a bare directory of objects, as mkcomposefs keeps it. Must exist; an absolute path. */
  readonly digestStore?: string;
  /** True: each name is a separate file, as in mkcomposefs. */
  readonly breakHardLinks?: boolean;
  /**
   * True: if blocks cannot be shared, files become objects by a hard link, and can never be written again: they get
   * fs-verity in place. Without fs-verity they are copied nevertheless.
   */
  readonly linkFiles?: boolean;
  readonly reporter?: StepReporter;
}

/** Gives a file's bytes; `tree/` asks for the policy files of an image with it. */
export type ContentReader = (content: FileContent, path: ByteString) => Uint8Array;

export interface ScannedDirectory {
  readonly root: DirectoryNode;
  /** Number of directories, files and other inodes. */
  readonly inodes: number;
  /** Objects that were not in the repository before. */
  readonly newObjects: number;
  /** Those of them that share blocks or inode with the file, which saved copying it. */
  readonly sharedObjects: number;
  /** Reads a file of the tree again, by its path in it. @throws SealrootError `conflict` when it has changed */
  readonly readContent: ContentReader;
}

/**
 * Reads a directory: names and link targets as bytes, permission bits, owners, times with nanoseconds, all xattrs of
 * the links themselves; files of up to 64 bytes inline, others as objects, hashed by worker threads. Two names with the
 * same device and inode number become one node. Mount points are crossed. The tree is what is there: transforms and
 * filters are the caller's.
 *
 * @throws SealrootError `not-found`, `no-access`; `conflict` when a file changes meanwhile
 */
export async function scanDirectory(path: string, options: ScanOptions): Promise<ScannedDirectory> {
  const workers = options.repository?.workers ?? newObjectWorkers();
  const scan = new DirectoryScan(options, workers);
  try {
    return await scan.run(path);
  } finally {
    if (options.repository === undefined) await workers.close();
  }
}

interface PendingDirectory {
  readonly path: ByteString;
  readonly node: DirectoryNode;
}

class DirectoryScan {
  readonly #options: ScanOptions;
  readonly #queue: FileReadQueue;
  readonly #leaves = new InodeTable<LeafNode>();
  #inodes = 0;

  constructor(options: ScanOptions, workers: ObjectWorkers) {
    this.#options = options;
    const { algorithm, repository, digestStore: directory } = options;
    const bareStore = directory === undefined ? undefined : { directory, algorithm, protection: "insecure" as const };
    this.#queue = new FileReadQueue(
      workers,
      algorithm,
      repository?.objects.settings ?? bareStore,
      options.linkFiles === true,
    );
  }

  async run(path: string): Promise<ScannedDirectory> {
    const rootPath = byteStringOfText(resolveRoot(path));
    const root = newDirectory(metadataOf(pathBytes(rootPath)).metadata);
    this.#inodes++;
    const pending: PendingDirectory[] = [{ path: rootPath, node: root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#readDirectory(next, pending);
      this.#options.reporter?.progress(this.#inodes, undefined, "items");
      await this.#queue.room();
    }
    const { newObjects, sharedObjects } = await this.#queue.finish();
    const { algorithm } = this.#options;
    // Without `this`, which holds the table of all inodes.
    const readContent: ContentReader = (content, at) => readAgain(rootPath, content, at, algorithm);
    return { root, inodes: this.#inodes, newObjects, sharedObjects, readContent };
  }

  #readDirectory({ path, node }: PendingDirectory, pending: PendingDirectory[]): void {
    const bytes = pathBytes(path);
    for (const entry of attempt(bytes, () => readdirSync(bytes, { encoding: "buffer", withFileTypes: true }))) {
      const name = byteString(entry.name);
      const child = joinPath(path, name);
      // Most of the work: the workers read their metadata and contents, with one walk of the path.
      if (entry.isFile()) this.#queue.add(child, (file, content) => this.#putFile(node, name, file, content));
      else attempt(pathBytes(child), () => this.#readEntry(child, node, name, pending));
    }
  }

  #putFile(directory: DirectoryNode, name: ByteString, file: FileFacts, content: FileScanContent): void {
    const { dev, ino, metadata, sizeBytes } = file;
    this.#putLeaf(directory, name, { dev, ino }, () => ({
      kind: "file",
      metadata,
      content: fileContent(content, sizeBytes),
    }));
  }

  /** Adds a name of an inode, and the inode itself if this is its first name. */
  #putLeaf(directory: DirectoryNode, name: ByteString, { dev, ino }: InodeNumber, make: () => LeafNode): void {
    let leaf = this.#options.breakHardLinks === true ? undefined : this.#leaves.get(dev, ino);
    if (leaf === undefined) {
      leaf = make();
      this.#leaves.set(dev, ino, leaf);
      this.#inodes++;
    }
    directory.entries.set(name, leaf);
  }

  #readEntry(path: ByteString, directory: DirectoryNode, name: ByteString, pending: PendingDirectory[]): void {
    const bytes = pathBytes(path);
    const { stat, metadata } = metadataOf(bytes);
    const kind = kindOfMode(Number(stat.mode));
    if (kind === "directory") {
      const node = newDirectory(metadata);
      directory.entries.set(name, node);
      pending.push({ path, node });
      this.#inodes++;
    } else if (kind === "symlink") {
      const target = readlinkSync(bytes, "latin1") as ByteString;
      this.#putLeaf(directory, name, stat, () => ({ kind, metadata, target }));
    } else if (kind === "character-device" || kind === "block-device") {
      this.#putLeaf(directory, name, stat, () => ({ kind, metadata, rdev: Number(BigInt.asUintN(32, stat.rdev)) }));
    } else if (kind === "fifo" || kind === "socket") {
      this.#putLeaf(directory, name, stat, () => ({ kind, metadata }));
    } else {
      throw changedFile(bytes); // now a file, unlike a moment ago
    }
  }
}

type InodeNumber = Pick<FileFacts, "dev" | "ino">;

function pathBytes(path: ByteString): Buffer {
  return Buffer.from(path, "latin1");
}

function resolveRoot(path: string): string {
  try {
    const resolved = realpathSync(path);
    if (lstatSync(resolved).isDirectory()) return resolved;
  } catch (error) {
    throw asSealrootError(error, `Cannot read directory ${path}`, { path });
  }
  throw new SealrootError("usage", `Cannot read directory ${path}: it is not a directory`, { path });
}

function metadataOf(path: Buffer): { readonly stat: BigIntStats; readonly metadata: Metadata } {
  const stat = lstatSync(path, { bigint: true });
  const xattrs = readXattrs(path);
  return { stat, metadata: metadataOfStat(stat, xattrs.size === 0 ? NO_XATTRS : xattrs) };
}

function fileContent(content: FileScanContent, sizeBytes: number): FileContent {
  if (typeof content !== "string") return { type: "inline", bytes: content };
  return { type: "external", sizeBytes, objectId: content };
}

function readAgain(root: ByteString, content: FileContent, at: ByteString, algorithm: VerityAlgorithm): Uint8Array {
  if (content.type === "inline") return content.bytes;
  const path = pathBytes(`${root}${at}` as ByteString);
  const bytes = attempt(path, () => readFileSync(path));
  if (verityDigest(bytes, algorithm) === content.objectId) return bytes;
  throw changedFile(path);
}

function attempt<T>(path: Buffer, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asSealrootError(error, `Cannot read ${path.toString()}`, { path: path.toString() });
  }
}
