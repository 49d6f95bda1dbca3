/** The objects of a repository. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { isLowerHex } from "../bytes/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { contentDigests, type SizedObject } from "./content-digests.ts";
import { FileImporter } from "./file-importer.ts";
import type { ImportStatistics } from "./import-statistics.ts";
import { ObjectDraft, storeObject } from "./object-draft.ts";
import { requireObjectId } from "./object-id.ts";
import { ObjectImporter } from "./object-importer.ts";
import { type OpenObject, openObject } from "./object-reader.ts";
import { type ObjectSettings, objectFileNameLength, objectFilePath } from "./object-settings.ts";
import type { ObjectWorkers } from "./object-workers.ts";
import { sortedEntries } from "./sorted-entries.ts";

/** A file below `objects/xx/`. */
interface ObjectEntry {
  /** Undefined for a file whose name is not an object's. */
  readonly objectId: string | undefined;
  readonly path: string;
  readonly kind: "file" | "other";
}

/** Reads and stores objects. Reading checks as the repository's protection demands; see {@link openObject}. */
export class ObjectStore {
  readonly settings: ObjectSettings;
  readonly #workers: () => ObjectWorkers;
  readonly #assertWritable: () => void;

  /**
   * @param workers asked for when there is work for them
   * @param assertWritable throws where nothing may be stored
   */
  constructor(settings: ObjectSettings, workers: () => ObjectWorkers, assertWritable: () => void) {
    this.settings = settings;
    this.#workers = workers;
    this.#assertWritable = assertWritable;
  }

  /**
   * Stores bytes as an object, at once and in this thread.
   * @returns the object's id
   * @throws SealrootError `untrusted` for an existing object that the kernel does not vouch for; `no-space` …
   */
  ensure(bytes: Uint8Array): string {
    this.#assertWritable();
    return storeObject(this.settings, bytes).objectId;
  }

  /**
   * As {@link ensure}, for what is too large for memory: it is written before it shows whether it is there already.
   * @param pieces each is used up before the next is asked for
   */
  ensurePieces(pieces: Iterable<Uint8Array>): string {
    this.#assertWritable();
    const draft = new ObjectDraft(this.settings);
    try {
      for (const piece of pieces) draft.write(piece);
      return draft.finish().objectId;
    } finally {
      draft.abort();
    }
  }

  /** For many objects: hashed and written in parallel. */
  importer(): ObjectImporter {
    this.#assertWritable();
    return new ObjectImporter(this.settings, this.#workers());
  }

  /** For files that exist. @param statistics where the objects are counted */
  fileImporter(statistics: ImportStatistics): FileImporter {
    this.#assertWritable();
    return new FileImporter(this.settings, this.#workers(), statistics);
  }

  /** Opens and checks an object. @throws SealrootError `not-found`, `untrusted`, `corrupt` */
  open(objectId: string): OpenObject {
    return openObject(this.settings, requireObjectId(objectId, this.settings.algorithm));
  }

  /** The content of an object that fits in memory. */
  read(objectId: string): Buffer {
    using object = this.open(objectId);
    return object.bytes();
  }

  /**
   * The sha256 of objects' contents, computed in parallel; objects that cannot be read are left out.
   *
   * @param onBytes called with the bytes hashed so far
   * @returns object ids to digests in hex
   */
  contentDigests(
    objects: Iterable<SizedObject>,
    onBytes: (doneBytes: number) => void = () => {},
  ): Promise<Map<string, string>> {
    return contentDigests(this.settings, this.#workers(), objects, onBytes);
  }

  /** True when a file with that name is there; nothing is checked. */
  has(objectId: string): boolean {
    try {
      return lstatSync(this.path(objectId), { throwIfNoEntry: false })?.isFile() ?? false;
    } catch (error) {
      if (hasErrno(error, "ENOTDIR")) return false;
      throw asSealrootError(error, `Cannot find object ${objectId}`, { path: this.path(objectId) });
    }
  }

  /** The object's file, absolute. */
  path(objectId: string): string {
    return objectFilePath(this.settings, objectId);
  }

  /** Length of the object's data; of a staged object, what its descriptor says. */
  sizeBytes(objectId: string): number {
    using object = this.open(objectId);
    return object.sizeBytes;
  }

  /** All files below the two-digit directories, in order of their names; temporary files directly in `objects/` are left out. */
  *entries(): Generator<ObjectEntry> {
    for (const directory of sortedEntries(this.settings.directory)) {
      if (!/^[0-9a-f]{2}$/.test(directory.name) || !directory.isDirectory()) continue;
      const path = join(this.settings.directory, directory.name);
      for (const file of sortedEntries(path)) {
        const wellNamed = file.name.length === objectFileNameLength(this.settings.algorithm) && isLowerHex(file.name);
        yield {
          objectId: wellNamed ? `${directory.name}${file.name}` : undefined,
          path: `${path}/${file.name}`,
          kind: file.isFile() ? "file" : "other",
        };
      }
    }
  }
}
