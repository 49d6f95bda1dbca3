/** An open repository: its settings, its lock, its objects and links. */

import { accessSync, closeSync, constants } from "node:fs";
import { join } from "node:path";
import { asSealrootError, SealrootError } from "../errors/index.ts";
import { newObjectWorkers, ObjectStore, type ObjectWorkers, type Protection } from "../objects/index.ts";
import { type LockMode, syncDirectory, syncFileSystem, waitForLock } from "../platform/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { DerivedFiles } from "./derived-files.ts";
import { type LinkEntry, LinkStore } from "./link-store.ts";
import type { ErofsFormats, RepositoryMeta } from "./meta.ts";
import { type StagedEntry, stagedEntries } from "./staged-entries.ts";

/** What {@link openRepository} found out. */
interface OpenedRepository {
  /** Absolute. */
  readonly path: string;
  /** The repository's directory, open and locked (shared). */
  readonly directoryFd: number;
  readonly meta: RepositoryMeta;
  readonly protection: Protection;
  /** As in OpenOptions. */
  readonly isTemporary: boolean;
}

/**
 * An open composefs repository. It holds the shared lock on the directory until it is closed, so that gc waits
 * (spec/repository.md 9). Get one from {@link openRepository} or {@link initRepository}.
 */
export class Repository implements Disposable {
  readonly path: string;
  readonly algorithm: VerityAlgorithm;
  /** The EROFS versions that images are made in. */
  readonly formats: ErofsFormats;
  readonly protection: Protection;
  readonly objects: ObjectStore;
  readonly streams: LinkStore;
  readonly images: LinkStore;
  readonly #meta: RepositoryMeta;
  readonly #directoryFd: number;
  readonly #lasts: boolean;
  #workers: ObjectWorkers | undefined;
  #open = true;

  constructor(opened: OpenedRepository) {
    this.path = opened.path;
    this.algorithm = opened.meta.algorithm;
    this.formats = opened.meta.formats;
    this.protection = opened.protection;
    this.#meta = opened.meta;
    this.#directoryFd = opened.directoryFd;
    this.#lasts = opened.protection !== "offline" && !opened.isTemporary;
    const settings = { directory: join(this.path, "objects"), algorithm: this.algorithm, protection: this.protection };
    const assertWritable = () => this.assertWritable();
    this.objects = new ObjectStore(settings, () => this.workers, assertWritable);
    const links = {
      path: this.path,
      algorithm: this.algorithm,
      assertWritable,
      sync: () => this.sync(),
      syncDirectory: (path: string) => this.#syncDirectory(path),
    };
    this.streams = new LinkStore("streams", links);
    this.images = new LinkStore("images", links);
  }

  /** Files of a kind that were derived from objects and can be made again. */
  derivedFiles(kind: string): DerivedFiles {
    const assertWritable = () => this.assertWritable();
    return new DerivedFiles(kind, { path: this.path, algorithm: this.algorithm, assertWritable });
  }

  /** Threads that hash and store; started with their first work, ended by {@link close}. */
  get workers(): ObjectWorkers {
    this.#workers ??= newObjectWorkers();
    return this.#workers;
  }

  /**
   * Call before long work that ends in writing.
   * @throws SealrootError `read-only`, `no-access`; `unsupported` for features this program does not know
   */
  assertWritable(): void {
    const unknown = this.#meta.unknownReadOnlyFeatures;
    if (unknown.length > 0) {
      throw new SealrootError(
        "unsupported",
        `Cannot write to repository ${this.path}: it has unknown read-only-compatible features: ${JSON.stringify(unknown)}`,
        { path: this.path },
      );
    }
    try {
      accessSync(this.path, constants.W_OK);
    } catch (error) {
      throw asSealrootError(error, `Cannot write to repository ${this.path}`, { path: this.path });
    }
  }

  /**
   * Makes everything written so far durable. Not in one that is staged, whose disk image will be, nor in a temporary one: there it
   * would write out gigabytes that are soon removed.
   */
  sync(): void {
    if (this.#lasts) syncFileSystem(this.#directoryFd);
  }

  #syncDirectory(path: string): void {
    if (this.#lasts) syncDirectory(path);
  }

  /** Stores an EROFS image and puts it on the list of images that may be mounted. */
  registerImage(image: Uint8Array, referenceName?: string): LinkEntry {
    return this.listImage(this.objects.ensure(image), referenceName);
  }

  /** Puts an EROFS image that is stored on the list of images that may be mounted. */
  listImage(objectId: string, referenceName?: string): LinkEntry {
    const link = { entry: objectId, objectId };
    this.images.register([link]);
    if (referenceName !== undefined) this.images.setReference(referenceName, objectId);
    return link;
  }

  /**
   * Everything in a staged repository, for the disk it was staged for: see {@link StagedEntry}. Also when it is closed.
   * @throws SealrootError `corrupt` when a file has no verity metadata, or those of another object
   */
  stagedEntries(): Generator<StagedEntry> {
    return stagedEntries(this.path);
  }

  /**
   * Converts the lock, waiting for other processes as long as they take.
   * @returns false when `timeoutMs` have passed first; the repository then holds no lock
   */
  lock(mode: LockMode, timeoutMs?: number): Promise<boolean> {
    return waitForLock(this.#directoryFd, mode, timeoutMs);
  }

  /**
   * Ends the threads when they will be idle for a while: their memory is then free for what follows. Later work starts
   * new ones.
   */
  async restWorkers(): Promise<void> {
    const workers = this.#workers;
    this.#workers = undefined;
    await workers?.close();
  }

  /** Ends the workers and releases the lock. May be called again. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#directoryFd);
    void this.#workers?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
