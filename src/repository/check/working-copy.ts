/**
 * A second repository with the good objects of the first, by hard links. In it what is damaged is simply absent, so it can
 * be completed as any repository; only then is what was made put into the first one, each object in one step.
 */
import { closeSync, linkSync, mkdirSync, readSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSealrootError, hasErrno, type SealrootError } from "../../errors/index.ts";
import { makeObjectDirectory, OBJECT_CHUNK_BYTES, openRegularFile } from "../../objects/index.ts";
import { type VerityAlgorithm, VerityHasher } from "../../verity/index.ts";
import { formatMeta } from "../meta.ts";
import { objectLinkTarget } from "../names.ts";
import { createMetaFile } from "../open/meta-file.ts";
import { openRepository } from "../open/open.ts";
import type { Repository } from "../repository.ts";

/** What was put into the repository. */
export interface Published {
  /** Ids of the objects that are good now. */
  readonly objectIds: readonly string[];
  /** Links that lead to another object than before, or are new: `streams/…`, `images/…`. */
  readonly links: readonly string[];
  /** What could not be put in its place, with the rest in order. */
  readonly failures: readonly SealrootError[];
}

const DIRECTORY_MODE = 0o755;

export class WorkingCopy implements Disposable {
  readonly repository: Repository;
  readonly #original: Repository;
  /** The objects that are the original's own files. */
  readonly #shared: ReadonlySet<string>;

  private constructor(repository: Repository, original: Repository, shared: ReadonlySet<string>) {
    this.repository = repository;
    this.#original = original;
    this.#shared = shared;
  }

  /**
   * @param path does not exist; on the file system of the repository
   * @param damaged objects that are left out
   * @throws Error of the system
   */
  static async make(original: Repository, path: string, damaged: ReadonlySet<string>): Promise<WorkingCopy> {
    const { algorithm, formats, protection } = original;
    for (const directory of ["", "objects", "streams", "images"]) mkdirSync(join(path, directory), DIRECTORY_MODE);
    createMetaFile(path, formatMeta(algorithm, formats), algorithm, protection);
    const repository = await openRepository(path, { algorithm });
    const shared = new Set<string>();
    for (const { objectId, path: file, kind } of original.objects.entries()) {
      if (objectId === undefined || kind !== "file" || damaged.has(objectId)) continue;
      shareObject(file, repository.objects.path(objectId));
      shared.add(objectId);
    }
    for (const links of [original.streams, original.images]) {
      for (const { entry, objectId } of links.entries()) {
        symlinkSync(objectLinkTarget(objectId), join(path, links.kind, entry));
      }
    }
    return new WorkingCopy(repository, original, shared);
  }

  [Symbol.dispose](): void {
    this.repository.close();
  }

  /**
   * Stores an object from a file that may have its content: the damaged object itself when only its fs-verity is lost, or
   * another copy of a file of the image.
   *
   * @returns false when the file has another content, or cannot be read
   */
  salvage(objectId: string, path = this.#original.objects.path(objectId)): boolean {
    if (digestOf(path, this.repository.algorithm) !== objectId) return false;
    return this.repository.objects.ensurePieces(chunksOf(path)) === objectId;
  }

  /** As {@link salvage}, from a file that may be any of the objects. */
  salvageAny(objectIds: readonly string[], path: string): boolean {
    const objectId = digestOf(path, this.repository.algorithm);
    return objectId !== undefined && objectIds.includes(objectId) && this.salvage(objectId, path);
  }

  /**
   * Puts the objects that were made here into the repository, in the place of damaged ones or where none were, then the
   * links that lead to them. Each object is complete, durable and has its fs-verity before it gets its name. Readers of a
   * damaged object keep what they have open.
   */
  publish(): Published {
    const failures: SealrootError[] = [];
    const objectIds: string[] = [];
    this.repository.sync();
    for (const { objectId, path } of [...this.repository.objects.entries()]) {
      if (objectId === undefined || this.#shared.has(objectId)) continue;
      const target = this.#original.objects.path(objectId);
      try {
        makeObjectDirectory(dirname(target));
        renameSync(path, target);
        objectIds.push(objectId);
      } catch (error) {
        failures.push(asSealrootError(error, `Cannot put object ${objectId} in its place`, { path: target }));
      }
    }
    this.#original.sync();
    const links = this.#publishLinks(failures);
    return { objectIds, links, failures };
  }

  #publishLinks(failures: SealrootError[]): string[] {
    const links: string[] = [];
    for (const kind of ["streams", "images"] as const) {
      const [own, original] = [this.repository[kind], this.#original[kind]];
      const before = new Map(original.entries().map(({ entry, objectId }) => [entry, objectId]));
      for (const link of own.entries()) {
        if (before.get(link.entry) === link.objectId || !this.#original.objects.has(link.objectId)) continue;
        try {
          original.register([link]);
          links.push(`${kind}/${link.entry}`);
        } catch (error) {
          failures.push(asSealrootError(error, `Cannot write the link ${kind}/${link.entry}`));
        }
      }
    }
    return links;
  }
}

/** @returns undefined for a file that cannot be read to its end */
function digestOf(path: string, algorithm: VerityAlgorithm): string | undefined {
  const hasher = new VerityHasher(algorithm);
  try {
    for (const chunk of chunksOf(path)) hasher.update(chunk);
  } catch {
    // Gone, no file, or its blocks do not match their fs-verity digest.
    return undefined;
  }
  return hasher.hexDigest();
}

function* chunksOf(path: string): Generator<Buffer> {
  const fd = openRegularFile(path);
  try {
    const buffer = Buffer.allocUnsafe(OBJECT_CHUNK_BYTES);
    for (;;) {
      const length = readSync(fd, buffer, 0, buffer.length, null);
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

function shareObject(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    makeObjectDirectory(dirname(to));
    linkSync(from, to);
  }
}
