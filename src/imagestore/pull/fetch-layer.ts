/** Fetching one layer into the repository, checked as it streams. It gets its name elsewhere. */

import { decompressLayer } from "../../oci/index.ts";
import { untilAborted } from "../../platform/index.ts";
import { SplitStreamWriter } from "../../splitstream/index.ts";
import type { Compression } from "../../zstd/index.ts";
import type { Layer } from "../layer/layer.ts";
import type { StoredLayer } from "../layer/layer-context.ts";
import { LayerSink } from "../layer/layer-sink.ts";
import { storeUnpackedLayer } from "../layer/store-unpacked-layer.ts";
import type { FetchContext, FetchedLayer } from "../partial/fetch-context.ts";
import { pullPartially } from "../partial/pull-partially.ts";
import { CONTENT_TYPE } from "../stream-names.ts";

/**
 * Fetches a layer into objects and a stream: of a zstd:chunked layer only what is missing, if possible.
 *
 * @param onBytes called with the bytes of the blob so far
 * @throws SealrootError `corrupt` when the blob or its content has the wrong digest, or is not a tar;
 *   `unsupported` when it unpacks to too much; the signal's reason
 */
export async function fetchLayer(
  context: FetchContext,
  layer: Layer,
  onBytes: (doneBytes: number) => void,
): Promise<FetchedLayer> {
  const partial = await pullPartially(context, layer, onBytes);
  if (partial !== undefined) return partial;
  const { compression } = layer;
  if (compression !== undefined && context.unpacked !== undefined) {
    const files = context.unpacked.find(layer.diffId);
    return { ...(await storeUnpackedLayer(context, layer, files, onBytes)), fetchedBytes: 0, savedBytes: 0 };
  }
  return { ...(await fetchWhole(context, layer, onBytes)), fetchedBytes: layer.blob.size, savedBytes: 0 };
}

function fetchWhole(context: FetchContext, layer: Layer, onBytes: (doneBytes: number) => void): Promise<StoredLayer> {
  const { compression } = layer;
  const blob = counted(untilAborted(context.blobs.read(layer.blob), context.signal), onBytes);
  return compression === undefined ? storeBlob(context, blob) : splitLayer(context, layer, compression, blob);
}

async function* counted(blob: AsyncIterable<Uint8Array>, onBytes: (doneBytes: number) => void) {
  let doneBytes = 0;
  for await (const part of blob) {
    yield part;
    doneBytes += part.length;
    onBytes(doneBytes);
  }
}

async function splitLayer(
  context: FetchContext,
  layer: Layer,
  compression: Compression,
  blob: AsyncIterable<Uint8Array>,
): Promise<StoredLayer> {
  const sink = new LayerSink(context, layer);
  try {
    for await (const piece of decompressLayer(blob, compression)) {
      sink.push(piece);
      await sink.room();
    }
    return await sink.finish("the unpacked tar");
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** An artifact's blob: one object, and a stream that is only it (spec/oci.md 1). */
async function storeBlob(
  { repository, importer }: FetchContext,
  blob: AsyncIterable<Uint8Array>,
): Promise<StoredLayer> {
  const object = importer.open();
  let sizeBytes = 0;
  try {
    for await (const part of blob) {
      object.write(part);
      sizeBytes += part.length;
      await importer.room();
    }
  } catch (error) {
    object.abort();
    throw error;
  }
  const stream = new SplitStreamWriter(repository.algorithm, CONTENT_TYPE.blob);
  stream.external(await object.finish(), sizeBytes);
  return { streamId: repository.objects.ensure(await stream.finish()), inlinedBytes: 0, entries: undefined };
}
