/** Where a layer's tar goes, wherever it comes from: checked, and split into objects and a stream. */
import type { Repository } from "../../repository/index.ts";
import { SplitStreamWriter } from "../../splitstream/index.ts";
import { CONTENT_TYPE } from "../stream-names.ts";
import type { Layer } from "./layer.ts";
import { LayerCheck } from "./layer-check.ts";
import type { LayerContext, StoredLayer } from "./layer-context.ts";
import { LayerSplitter } from "./layer-splitter.ts";

/**
 * Takes every byte of one layer's tar: hashed for the diff id, checked against the limit, stored. Await {@link room}
 * between pieces; then {@link finish}, or {@link abort} after an error.
 *
 * The body of a file may come as an object instead. Its bytes are then hashed with {@link measure}.
 */
export class LayerSink {
  readonly #repository: Repository;
  readonly #stream: SplitStreamWriter;
  readonly #check: LayerCheck;
  readonly #splitter: LayerSplitter;

  constructor({ repository, importer, layerLimitBytes }: LayerContext, layer: Layer) {
    this.#repository = repository;
    this.#stream = new SplitStreamWriter(repository.algorithm, CONTENT_TYPE.layer);
    this.#check = new LayerCheck(layer, layerLimitBytes);
    this.#splitter = new LayerSplitter(this.#stream, { repository, importer }, this.#check.limitBytes);
  }

  /** Bytes of the tar so far. */
  get doneBytes(): number {
    return this.#check.bytes;
  }

  /** True when the next bytes are the body of a file that becomes an object. */
  get bodyIsDue(): boolean {
    return this.#splitter.bodyIsDue;
  }

  /** @throws SealrootError `unsupported` for a byte too many, `corrupt` for a bad tar; what storing an object threw */
  push(bytes: Uint8Array): void {
    this.#check.update(bytes);
    this.#splitter.push(bytes);
  }

  /** Counts and hashes bytes of a body that is inserted as an object. @throws SealrootError as {@link push} */
  measure(bytes: Uint8Array): void {
    this.#check.update(bytes);
  }

  /** Inserts the body that is due: {@link LayerSplitter.pushStored}. */
  pushStored(objectId: string): void {
    this.#splitter.pushStored(objectId);
  }

  /** Inserts the body that is due: {@link LayerSplitter.pushObject}. */
  pushObject(objectId: Promise<string>, sizeBytes: number): void {
    this.#splitter.pushObject(objectId, sizeBytes);
  }

  /** Resolves when the repository has caught up enough for more. */
  room(): Promise<void> {
    return this.#splitter.room();
  }

  /**
   * Ends the tar and stores its stream, which has no name yet.
   * @param what names the tar in an error
   * @throws SealrootError `corrupt` when the tar does not have the layer's diff id or is cut off
   */
  async finish(what: string): Promise<StoredLayer> {
    this.#check.finish(what);
    await this.#splitter.finish();
    const streamId = this.#repository.objects.ensure(await this.#stream.finish());
    return { streamId, inlinedBytes: this.#splitter.inlineBytes, entries: this.#splitter.entries };
  }

  /** Resolves when no more of the layer is being stored. */
  abort(): Promise<void> {
    return this.#splitter.abort();
  }
}
