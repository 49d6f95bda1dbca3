/** A directory of the file system as a tree (spec/erofs.md 6, spec/oci.md 5). */
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import type { ByteString } from "../bytes/index.ts";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { StepReporter } from "../events/index.ts";
import { readXattrs } from "../platform/index.ts";
import {
  type DirectoryNode,
  type FileContent,
  type FileNode,
  kindOfMode,
  type LeafNode,
  type Metadata,
  newDirectory,
  newMetadata,
  PERMISSION_MASK,
} from "../tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../verity/index.ts";
import { newObjectWorkers, type ObjectWorkers } from "./object-workers.ts";
import type { Repository } from "./repository.ts";
import { FileReadQueue } from "./scan-queue.ts";

export interface ScanOptions {
  readonly algorithm: VerityAlgorithm;
  /** Where contents are stored as objects; absent: digests only, nothing is written. */
  readonly repository?: Repository;
  /** In place of a repository: a bare directory of objects, as mkcomposefs keeps it. Must exist; an absolute path. */
  readonly digestStore?: string;
  /** True: each name is a file of its own, as mkcomposefs sees it. */
  readonly breakHardLinks?: boolean;
  /**
   * True: where blocks cannot be shared, files become objects by a second name, and can never be written again: they get
   * fs-verity where they lie. Without fs-verity they are copied all the same.
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

const NANOSECONDS = 1_000_000_000n;

/**
 * Reads a directory: names and link targets as bytes, permission bits, owners, times with nanoseconds, all xattrs of
 * the links themselves; files of up to 64 bytes inline, others as objects, hashed by worker threads. Two names with one
 * device and inode number become one node. Mount points are not a border. The tree is what is there: transforms and
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

/** One inode with all the places it has been seen in; its node exists once its content is known. */
interface LeafSlot {
  node: LeafNode | undefined;
  readonly places: { readonly directory: DirectoryNode; readonly name: ByteString }[];
}

interface PendingDirectory {
  readonly path: Buffer;
  readonly node: DirectoryNode;
}

class DirectoryScan {
  readonly #options: ScanOptions;
  readonly #queue: FileReadQueue;
  readonly #slots = new Map<string, LeafSlot>();
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
    const rootPath = Buffer.from(resolveRoot(path));
    const root = newDirectory(metadataOf(rootPath, lstatSync(rootPath, { bigint: true })));
    this.#inodes++;
    const pending: PendingDirectory[] = [{ path: rootPath, node: root }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      this.#readDirectory(next, pending);
      this.#options.reporter?.progress(this.#inodes, undefined, "items");
      // Lets answers of the workers in, and keeps the reader from running far ahead of them.
      await this.#queue.room();
    }
    const { newObjects, sharedObjects } = await this.#queue.finish();
    const readContent: ContentReader = (content, at) => readAgain(rootPath, content, at, this.#options.algorithm);
    return { root, inodes: this.#inodes, newObjects, sharedObjects, readContent };
  }

  #readDirectory(directory: PendingDirectory, pending: PendingDirectory[]): void {
    for (const name of attempt(directory.path, () => readdirSync(directory.path, "latin1"))) {
      const path = Buffer.concat([directory.path, SLASH, Buffer.from(name, "latin1")]);
      attempt(path, () => this.#readEntry(path, directory.node, name as ByteString, pending));
    }
  }

  #readEntry(path: Buffer, directory: DirectoryNode, name: ByteString, pending: PendingDirectory[]): void {
    const stat = lstatSync(path, { bigint: true });
    if (stat.isDirectory()) {
      const node = newDirectory(metadataOf(path, stat));
      directory.entries.set(name, node);
      pending.push({ path, node });
      this.#inodes++;
      return;
    }
    const key = `${stat.dev}:${stat.ino}`;
    const known = this.#options.breakHardLinks === true ? undefined : this.#slots.get(key);
    const slot = known ?? { node: undefined, places: [] };
    slot.places.push({ directory, name });
    if (known === undefined) {
      this.#slots.set(key, slot);
      this.#inodes++;
      this.#readLeaf(path, stat, slot);
    } else if (known.node !== undefined) directory.entries.set(name, known.node);
  }

  #readLeaf(path: Buffer, stat: BigIntStats, slot: LeafSlot): void {
    const metadata = metadataOf(path, stat);
    const kind = kindOfMode(Number(stat.mode));
    const put = (node: LeafNode) => {
      slot.node = node;
      for (const { directory, name } of slot.places) directory.entries.set(name, node);
    };
    if (kind === "file") {
      const sizeBytes = Number(stat.size);
      this.#queue.add(path, sizeBytes, (content) => {
        const node: FileNode = { kind, metadata, content: fileContent(content, sizeBytes) };
        put(node);
      });
    } else if (kind === "symlink") {
      put({ kind, metadata, target: readlinkSync(path, "latin1") as ByteString });
    } else if (kind === "character-device" || kind === "block-device") {
      put({ kind, metadata, rdev: Number(BigInt.asUintN(32, stat.rdev)) });
    } else if (kind === "fifo" || kind === "socket") {
      put({ kind, metadata });
    }
  }
}

const SLASH = Buffer.from("/");

function resolveRoot(path: string): string {
  try {
    const resolved = realpathSync(path);
    if (lstatSync(resolved).isDirectory()) return resolved;
  } catch (error) {
    throw asSealrootError(error, `Cannot read directory ${path}`, { path });
  }
  throw new SealrootError("usage", `Cannot read directory ${path}: it is not a directory`, { path });
}

function metadataOf(path: Buffer, stat: BigIntStats): Metadata {
  const seconds = stat.mtimeNs / NANOSECONDS;
  const rest = stat.mtimeNs % NANOSECONDS;
  const negative = rest < 0n;
  return newMetadata({
    mode: Number(stat.mode) & PERMISSION_MASK,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeSeconds: negative ? seconds - 1n : seconds,
    mtimeNanoseconds: Number(negative ? rest + NANOSECONDS : rest),
    xattrs: readXattrs(path),
  });
}

function fileContent(content: string | Uint8Array, sizeBytes: number): FileContent {
  if (typeof content !== "string") return { type: "inline", bytes: content };
  return { type: "external", sizeBytes, objectId: content };
}

function readAgain(root: Buffer, content: FileContent, at: ByteString, algorithm: VerityAlgorithm): Uint8Array {
  if (content.type === "inline") return content.bytes;
  const path = Buffer.concat([root, Buffer.from(at, "latin1")]);
  const bytes = attempt(path, () => readFileSync(path));
  if (verityDigest(bytes, algorithm) === content.objectId) return bytes;
  throw new SealrootError("conflict", `Cannot read ${path.toString()}: the file changed while the directory was read`, {
    path: path.toString(),
  });
}

function attempt<T>(path: Buffer, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asSealrootError(error, `Cannot read ${path.toString()}`, { path: path.toString() });
  }
}
