/** The layers of an image on their way into the repository, checked while they stream. */
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../events/index.ts";
import type { Repository } from "../repository/index.ts";
import { readSplitStream, SplitStreamWriter } from "../splitstream/index.ts";
import type { Compression } from "../zstd/index.ts";
import { DigestCheck } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { decompressLayer } from "./layer-compression.ts";
import { LayerSplitter } from "./layer-import.ts";
import { layerCompression } from "./media-types.ts";
import type { OpenedImage } from "./source.ts";
import type { StoredConfig } from "./stored-image.ts";
import { CONTENT_TYPE, layerStreamName } from "./stream-names.ts";

/** What became of the file bodies. */
export interface LayerStatistics {
  newObjects: number;
  presentObjects: number;
  /** Bytes of the new objects. */
  storedBytes: number;
  /** Bytes kept in the streams themselves. */
  inlinedBytes: number;
}

/** A layer to fetch: its blob, and the digest of what is in it. */
interface Layer {
  readonly blob: Descriptor;
  /** Of an artifact's blob: the blob's own digest. */
  readonly diffId: string;
  /** Undefined: an artifact's blob, stored as it is. */
  readonly compression: Compression | undefined;
}

export interface PullLayersOptions {
  /** The image's configuration as an earlier pull left it. */
  readonly known: StoredConfig | undefined;
  /** Also fetch a layer again of which an object is missing. */
  readonly complete: boolean;
  readonly events: EventSink;
}

/**
 * Fetches the layers the repository does not have; each gets its name as soon as it has proved right.
 *
 * @returns diff ids to the object ids of the layers' streams, in the order of their first use
 * @throws SealrootError `corrupt` when a blob or its content does not have the digest it should have, or is no tar
 */
export async function pullLayers(
  repository: Repository,
  image: OpenedImage,
  { known, complete, events }: PullLayersOptions,
): Promise<{ layers: ReadonlyMap<string, string>; statistics: LayerStatistics }> {
  const statistics: LayerStatistics = { newObjects: 0, presentObjects: 0, storedBytes: 0, inlinedBytes: 0 };
  const layers = new Map<string, string>();
  const wanted = layersOf(image);
  for (const [index, layer] of wanted.entries()) {
    if (layers.has(layer.diffId)) continue;
    const present = known?.layers.get(layer.diffId) ?? repository.streams.find(layerStreamName(layer.diffId));
    if (present !== undefined && isPresent(repository, present, complete)) {
      layers.set(layer.diffId, present);
      continue;
    }
    const streamId = await runStep(events, `pull layer ${index + 1} of ${wanted.length}`, (reporter) =>
      layer.compression === undefined
        ? importBlob(repository, image, layer, statistics)
        : importLayer(repository, image, layer, layer.compression, statistics, reporter),
    );
    repository.streams.register([{ entry: layerStreamName(layer.diffId), objectId: streamId }]);
    layers.set(layer.diffId, streamId);
  }
  return { layers, statistics };
}

/** @param complete true: with everything the stream needs */
function isPresent(repository: Repository, streamId: string, complete: boolean): boolean {
  if (!repository.objects.has(streamId)) return false;
  if (!complete) return true;
  const { objectRefs } = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm });
  return objectRefs.every((objectId) => repository.objects.has(objectId));
}

function layersOf(image: OpenedImage): Layer[] {
  const { config, manifest } = image;
  if (config === undefined) {
    return manifest.layers.map((blob) => ({ blob, diffId: blob.digest, compression: undefined }));
  }
  return manifest.layers.map((blob, index) => {
    const compression = layerCompression(blob.mediaType);
    // The two lists have the same length: openImage() has seen to it.
    const diffId = config.rootfs.diff_ids[index] ?? "";
    if (compression !== undefined) return { blob, diffId, compression };
    const what = `Cannot pull layer ${blob.digest}: media type "${blob.mediaType}" is not a tar layer`;
    throw new SealrootError("unsupported", what, { hint: "copy the image with skopeo copy --format oci first" });
  });
}

async function importLayer(
  repository: Repository,
  image: OpenedImage,
  layer: Layer,
  compression: Compression,
  statistics: LayerStatistics,
  reporter: StepReporter,
): Promise<string> {
  const stream = new SplitStreamWriter(repository.algorithm, CONTENT_TYPE.layer);
  const importer = repository.objects.importer();
  const splitter = new LayerSplitter(stream, importer);
  const check = new DigestCheck(layer.diffId);
  try {
    const blob = reported(image.blobs.read(layer.blob), layer.blob.size, reporter);
    for await (const piece of decompressLayer(blob, compression)) {
      check.update(piece);
      splitter.push(piece);
      await splitter.room();
    }
    check.finish(`layer ${layer.blob.digest} (uncompressed)`);
    await splitter.finish();
  } catch (error) {
    splitter.abort();
    await importer.finish().catch(() => {});
    throw error;
  }
  statistics.newObjects += importer.statistics.newObjects;
  statistics.presentObjects += importer.statistics.presentObjects;
  statistics.storedBytes += importer.statistics.storedBytes;
  statistics.inlinedBytes += splitter.inlineBytes;
  return repository.objects.ensure(await stream.finish());
}

async function* reported(blob: AsyncIterable<Uint8Array>, totalBytes: number, reporter: StepReporter) {
  let doneBytes = 0;
  for await (const part of blob) {
    yield part;
    doneBytes += part.length;
    reporter.progress(doneBytes, totalBytes, "bytes");
  }
}

/** An artifact's blob: one object, and a stream that is nothing but it (spec/oci.md 1). */
async function importBlob(
  repository: Repository,
  image: OpenedImage,
  layer: Layer,
  statistics: LayerStatistics,
): Promise<string> {
  const draft = repository.objects.draft();
  try {
    for await (const part of image.blobs.read(layer.blob)) draft.write(part);
  } catch (error) {
    draft.abort();
    throw error;
  }
  const stored = draft.finish();
  if (stored.isNew) {
    statistics.newObjects += 1;
    statistics.storedBytes += stored.sizeBytes;
  } else statistics.presentObjects += 1;
  const stream = new SplitStreamWriter(repository.algorithm, CONTENT_TYPE.blob);
  stream.external(stored.objectId, stored.sizeBytes);
  return repository.objects.ensure(await stream.finish());
}
