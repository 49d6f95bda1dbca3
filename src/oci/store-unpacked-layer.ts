/** An unpacked layer on its way into the repository. */
import { SplitStreamWriter } from "../splitstream/index.ts";
import { DigestCheck } from "./digest.ts";
import type { FetchContext, StoredLayer } from "./fetch-layer.ts";
import { LayerSplitter } from "./layer-import.ts";
import { unpackedLimitBytes, unpacksTooFar } from "./layer-limit.ts";
import type { Layer } from "./layer-plan.ts";
import { untilAborted } from "./run-bounded.ts";
import { CONTENT_TYPE } from "./stream-names.ts";
import { bodyBytes, type UnpackedLayer } from "./unpacked-layers.ts";

/**
 * Makes objects and a stream of it. What is hashed for the diff id are the bytes that are stored.
 *
 * @param onBytes called with as much of the blob's size as of the stream has been done
 * @throws SealrootError as UnpackedLayer.parts(); `corrupt` when the stream does not have the diff id, `unsupported` when it
 *   goes too far
 */
export async function storeUnpackedLayer(
  { repository, importer, layerLimitBytes, signal }: FetchContext,
  layer: Layer,
  unpacked: UnpackedLayer,
  onBytes: (doneBytes: number) => void,
): Promise<StoredLayer> {
  const stream = new SplitStreamWriter(repository.algorithm, CONTENT_TYPE.layer);
  const splitter = new LayerSplitter(stream, importer);
  const check = new DigestCheck(layer.diffId);
  const limitBytes = unpackedLimitBytes(layer.blob, layerLimitBytes);
  const push = (bytes: Uint8Array) => {
    check.update(bytes);
    if (check.bytes > limitBytes) throw unpacksTooFar(layer.blob, limitBytes);
    splitter.push(bytes);
  };
  const scale = unpacked.sizeBytes === undefined ? 0 : layer.blob.size / Math.max(unpacked.sizeBytes, 1);
  try {
    for await (const part of untilAborted(unpacked.parts(), signal)) {
      if (part.type === "bytes") push(part.bytes);
      else {
        for (const piece of bodyBytes(part, part.fd)) {
          push(piece);
          await splitter.room();
        }
      }
      await splitter.room();
      onBytes(Math.min(layer.blob.size, Math.floor(check.bytes * scale)));
    }
    check.finish(`layer ${layer.diffId}`);
    await splitter.finish();
  } catch (error) {
    splitter.abort();
    throw error;
  }
  const streamId = repository.objects.ensure(await stream.finish());
  return { streamId, inlinedBytes: splitter.inlineBytes, entries: splitter.entries };
}
