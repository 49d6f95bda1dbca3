/**
 * sealroot's own files outside the format: derived from objects and kept to save time. They are in
 * `sealroot/<kind>/<object id>`, below a top-level directory that other tools do not know and must tolerate
 * (spec/repository.md 1). Readers must not trust them.
 */

import { lstatSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { isObjectId, requireObjectId, sortedEntries } from "../objects/index.ts";
import { isTemporaryName, writeFileAtomically } from "../platform/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { makeOwnDirectory, requireOwnDirectory } from "./own-directory.ts";

const ROOT = "sealroot";

/** The old names of our unfinished files, before all temporary files had the same form of name. */
const EARLIER_TEMPORARY_NAME = /^\.[0-9a-f]{64,128}\.[0-9a-f]{12}$/;

/** Files that killed writers left, relative to the repository. No link is followed. */
export function derivedTemporaries(repositoryPath: string): string[] {
  const directoriesIn = (relative: string) =>
    sortedEntries(join(repositoryPath, relative)).filter((entry) => entry.isDirectory());
  if (!directoriesIn(".").some(({ name }) => name === ROOT)) return [];
  return directoriesIn(ROOT).flatMap((kind) => {
    const directory = join(ROOT, kind.name);
    const files = sortedEntries(join(repositoryPath, directory)).filter((entry) => entry.isFile());
    return files.flatMap(({ name }) =>
      isTemporaryName(name) || EARLIER_TEMPORARY_NAME.test(name) ? [join(directory, name)] : [],
    );
  });
}

/** What derived files need of their repository. */
interface DerivedFilesContext {
  readonly path: string;
  readonly algorithm: VerityAlgorithm;
  assertWritable(): void;
}

/** The derived files of one kind, each named after the object it was made from. */
export class DerivedFiles {
  readonly #directory: string;
  readonly #context: DerivedFilesContext;

  /** From {@link Repository}. @param kind a directory's name */
  constructor(kind: string, context: DerivedFilesContext) {
    this.#directory = join(ROOT, kind);
    this.#context = context;
  }

  /** The file's content, or undefined if there is none. @param maxBytes longer files count as absent */
  read(objectId: string, maxBytes: number): Buffer | undefined {
    const path = this.#path(objectId);
    try {
      requireOwnDirectory(this.#context.path, this.#directory);
      const stat = lstatSync(path);
      return stat.isFile() && stat.size <= maxBytes ? readFileSync(path) : undefined;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw asSealrootError(error, "Cannot read a derived file of the repository", { path });
    }
  }

  /** Writes the file durably; readers see the old content or the new. */
  write(objectId: string, content: Uint8Array): void {
    this.#context.assertWritable();
    const path = this.#path(objectId);
    try {
      makeOwnDirectory(this.#context.path, this.#directory);
      writeFileAtomically(path, content);
    } catch (error) {
      throw asSealrootError(error, "Cannot write a derived file of the repository", { path });
    }
  }

  /** Removes the file if there is one. */
  remove(objectId: string): void {
    this.#context.assertWritable();
    requireOwnDirectory(this.#context.path, this.#directory);
    rmSync(this.#path(objectId), { force: true });
  }

  /** Removes the files of all other objects. Another process that just wrote one makes it again. */
  keepOnly(objectIds: ReadonlySet<string>): void {
    this.#context.assertWritable();
    requireOwnDirectory(this.#context.path, this.#directory);
    for (const { name } of sortedEntries(join(this.#context.path, this.#directory))) {
      const isOurs = isObjectId(name, this.#context.algorithm);
      if (isOurs && !objectIds.has(name)) rmSync(this.#path(name), { force: true });
    }
  }

  #path(objectId: string): string {
    return join(this.#context.path, this.#directory, requireObjectId(objectId, this.#context.algorithm));
  }
}
