/** Storing an unpacked layer in the repository: its files become objects by sharing their blocks if that works. */
import { closeSync } from "node:fs";
import type { FileImporter } from "../../objects/index.ts";
import { bodyBytes, type LayerBody, type UnpackedLayer } from "../../oci/index.ts";
import { untilAborted } from "../../platform/index.ts";
import type { Layer } from "./layer.ts";
import type { LayerContext, StoredLayer } from "./layer-context.ts";
import { LayerSink } from "./layer-sink.ts";

/**
 * Makes objects and a stream of it. The bytes hashed for the diff id are those that are stored.
 *
 * @param onBytes called with the share of the blob's size that corresponds to the finished share of the stream
 * @throws SealrootError as UnpackedLayer.parts(); `corrupt` when the stream does not have the diff id, `unsupported`
 *   when it is too long
 */
export async function storeUnpackedLayer(
  context: LayerContext,
  layer: Layer,
  unpacked: UnpackedLayer,
  onBytes: (doneBytes: number) => void,
): Promise<StoredLayer> {
  const writer = new UnpackedLayerWriter(context, layer);
  const scale = unpacked.sizeBytes === undefined ? 0 : layer.blob.size / Math.max(unpacked.sizeBytes, 1);
  try {
    for await (const part of untilAborted(unpacked.parts(), context.signal)) {
      if (part.type === "bytes") writer.bytes(part.bytes);
      else await writer.body(part);
      await writer.room();
      onBytes(Math.min(layer.blob.size, Math.floor(writer.doneBytes * scale)));
    }
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Files of a layer become objects while its tar is hashed. */
class UnpackedLayerWriter {
  readonly #context: LayerContext;
  readonly #sink: LayerSink;
  readonly #files: FileImporter;

  constructor(context: LayerContext, layer: Layer) {
    this.#context = context;
    this.#sink = new LayerSink(context, layer);
    this.#files = context.repository.objects.fileImporter(context.importer.statistics);
  }

  get doneBytes(): number {
    return this.#sink.doneBytes;
  }

  bytes(bytes: Uint8Array): void {
    this.#sink.push(bytes);
  }

  /** The next file: its blocks are shared, or it gets a hard link if that is wanted, or its bytes are copied. */
  async body(body: LayerBody): Promise<void> {
    const { fd, sizeBytes } = body;
    if (this.#sink.bodyIsDue) {
      const cloneFd = this.#files.clone(fd, sizeBytes);
      if (cloneFd !== undefined) return this.#sharedBody(body, cloneFd);
      if (this.#context.linkFiles) return this.#linkedBody(body);
    }
    for (const piece of bodyBytes(body, fd)) {
      this.bytes(piece);
      await this.#sink.room();
    }
  }

  async room(): Promise<void> {
    await this.#sink.room();
    await this.#files.room();
  }

  finish(): Promise<StoredLayer> {
    return this.#sink.finish("the tar");
  }

  async abort(): Promise<void> {
    await this.#sink.abort();
    await this.#files.settled();
  }

  /** A worker makes the object of the clone while its bytes are hashed here. */
  #sharedBody(body: LayerBody, cloneFd: number): void {
    const objectId = this.#files.add(cloneFd, body.sizeBytes, { linkFile: false });
    const close = () => closeSync(cloneFd);
    objectId.then(close, close);
    // No waiting in between: the clone is closed when the object is there.
    for (const piece of bodyBytes(body, cloneFd)) this.#sink.measure(piece);
    this.#sink.pushObject(objectId, body.sizeBytes);
  }

  /** Only once it is an object can nobody write to the file any more, so that is what is hashed. */
  async #linkedBody(body: LayerBody): Promise<void> {
    const objectId = this.#files.add(body.fd, body.sizeBytes, { linkFile: true });
    using object = this.#context.repository.objects.open(await objectId);
    for (const piece of bodyBytes(body, object.fd)) this.#sink.measure(piece);
    this.#sink.pushObject(objectId, body.sizeBytes);
  }
}
