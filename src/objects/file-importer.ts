/** Making objects of open files (spec/repository.md 3.2). */

import { CLONE_MIN_BYTES, cloneUnnamed } from "./import-file.ts";
import { countObject, type ImportStatistics } from "./import-statistics.ts";
import type { ObjectSettings } from "./object-settings.ts";
import type { ObjectWorkers } from "./object-workers.ts";
import { UnderWay } from "./under-way.ts";

/** Pending files before the producer waits: each keeps a descriptor open. */
const UNDER_WAY_MAX = 64;

/** Makes objects of open files, in parallel. */
export class FileImporter {
  readonly #settings: ObjectSettings;
  readonly #workers: ObjectWorkers;
  readonly #statistics: ImportStatistics;
  readonly #underWay = new UnderWay(UNDER_WAY_MAX);

  /** From {@link ObjectStore.fileImporter}. @param statistics where the objects are counted too */
  constructor(settings: ObjectSettings, workers: ObjectWorkers, statistics: ImportStatistics) {
    this.#settings = settings;
    this.#workers = workers;
    this.#statistics = statistics;
  }

  /**
   * A file without a name that shares the blocks of an open one: writes to that one do not change it, so it can be read
   * and then made an object, without a copy.
   *
   * @returns its descriptor, which the caller closes; undefined if the file systems cannot do that, if it is not worth
   *   it, or if the file is not `sizeBytes` long
   */
  clone(fd: number, sizeBytes: number): number | undefined {
    return sizeBytes < CLONE_MIN_BYTES ? undefined : cloneUnnamed(this.#settings, fd, sizeBytes);
  }

  /**
   * Makes an object of an open file.
   *
   * @param fd must stay open until the answer is there
   * @param options.linkFile hard-link the file into the store if its blocks cannot be shared: it gets fs-verity in
   *   place, and can never be written again
   * @returns the object's id, once it is stored
   */
  add(fd: number, sizeBytes: number, options: { readonly linkFile: boolean }): Promise<string> {
    const answer = this.#workers.run("take-file", { settings: this.#settings, fd, ...options });
    const stored = answer.then(({ objectId, isNew }) => {
      countObject(this.#statistics, sizeBytes, isNew);
      return objectId;
    });
    // A failure is the receiver's; here it only ends the waiting.
    this.#underWay.add(stored.catch(() => {}));
    return stored;
  }

  /** Waits while too many files are pending. */
  async room(): Promise<void> {
    await this.#underWay.room();
  }

  /** Waits until nothing is pending, whatever the outcome. */
  async settled(): Promise<void> {
    await this.#underWay.settled();
  }
}
