/** Storing the contents of sparse files in the repository. */
import { SealrootError } from "../../errors/index.ts";
import type { ObjectImporter } from "../../objects/index.ts";
import type { Repository } from "../../repository/index.ts";
import type { TarBody, TarEntry } from "../../tar/index.ts";
import { quotePath } from "../../tree/index.ts";
import { LAYER_LIMIT_HINT } from "./layer-check.ts";
import { expandedPieces, inlineContent, type SparseData } from "./sparse-content.ts";

/** Makes the objects of one layer's sparse files, one after the other: holes cost nothing in a tar. */
export class SparseImporter {
  readonly #repository: Repository;
  readonly #importer: ObjectImporter;
  readonly #limitBytes: number;
  #holesBytes = 0;
  #aborted = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @param limitBytes limit for all holes together */
  constructor(repository: Repository, importer: ObjectImporter, limitBytes: number) {
    this.#repository = repository;
    this.#importer = importer;
    this.#limitBytes = limitBytes;
  }

  /**
   * @param data of the entry, once they are in the repository
   * @returns where the content is
   * @throws SealrootError `unsupported` for holes beyond the limit
   */
  add(entry: TarEntry, data: Promise<SparseData>): Promise<TarBody> {
    // A caller waiting for the data themselves is told when there are none.
    data.catch(() => {});
    this.#holesBytes += entry.sizeBytes - entry.storedBytes;
    if (this.#holesBytes > this.#limitBytes) {
      const what = `Cannot use layer entry ${quotePath(entry.path)}: the holes of the layer's sparse files have more than ${this.#limitBytes} bytes`;
      const { path, headerOffset: offset } = entry;
      throw new SealrootError("unsupported", what, { path, offset, hint: LAYER_LIMIT_HINT });
    }
    const body = this.#last.then(async () => this.#store(entry, await data));
    this.#last = body.catch(() => {});
    return body;
  }

  /** Resolves when nothing is being made. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** As {@link settled}, but starts nothing more. */
  async abort(): Promise<void> {
    this.#aborted = true;
    await this.#last;
  }

  async #store(entry: TarEntry, data: SparseData): Promise<TarBody> {
    const inline = inlineContent(this.#repository, entry, data);
    if (inline !== undefined) return inline;
    const sink = this.#importer.open();
    try {
      for (const piece of expandedPieces(this.#repository, entry, data)) {
        if (this.#aborted) throw new Error("the layer has been given up");
        sink.write(piece);
        await this.#importer.room();
      }
    } catch (error) {
      sink.abort();
      throw error;
    }
    return { type: "external", reference: await sink.finish() };
  }
}
