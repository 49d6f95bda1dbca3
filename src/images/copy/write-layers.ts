/** Writing the layers of one image to a destination: those that are there stay, the others are sent. */
import { type EventSink, runStep } from "../../events/index.ts";
import type { Descriptor } from "../../oci/index.ts";
import { runBounded } from "../../platform/index.ts";
import type { BlobContent, ImageDestination } from "./destination.ts";
import type { LayerContent } from "./image-content.ts";
import { contentAnnotations, type LayerPacking, packingOf, packLayer } from "./pack-layer.ts";

export interface WrittenLayer {
  /** As needed in the destination's manifest. */
  readonly descriptor: Descriptor;
  /** Zero for a blob that was there. */
  readonly sentBytes: number;
}

/** Counts bytes that were read. */
type Counter = (bytes: number) => void;

/**
 * Writes the layers, several at a time if the destination accepts that.
 *
 * @param packing how they are packed; each as its descriptor says if undefined
 * @returns the outcome for each layer; a repeated layer is written once
 */
export function writeLayers(
  layers: readonly LayerContent[],
  destination: ImageDestination,
  packing: LayerPacking | undefined,
  events: EventSink,
): Promise<WrittenLayer[]> {
  const distinct = layers.filter(
    (layer, index) => layers.findIndex((other) => other.descriptor.digest === layer.descriptor.digest) === index,
  );
  return runStep(events, "write layers", async (reporter) => {
    const totalBytes = totalOf(distinct, packing);
    let doneBytes = 0;
    const count = (bytes: number) => {
      doneBytes += bytes;
      reporter.progress(doneBytes, totalBytes, "bytes");
    };
    const written = new Map<string, WrittenLayer>();
    await runBounded(distinct, destination.parallelBlobs, async (layer) => {
      written.set(layer.descriptor.digest, await writeLayer(layer, destination, packing, count));
    });
    return layers.map((layer) => {
      const result = written.get(layer.descriptor.digest);
      if (result === undefined) throw new Error("unreachable: every digest was written");
      return distinct.includes(layer) ? result : { ...result, sentBytes: 0 };
    });
  });
}

/** What will be read; undefined if the length of a tar stream shows only at its end. */
function totalOf(layers: readonly LayerContent[], packing: LayerPacking | undefined): number | undefined {
  const sizes = layers.map((layer) => (staysBlob(layer, packing) ? layer.descriptor.size : layer.tarBytes));
  return sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0);
}

/** True when the layer's own blob is wanted. */
function isWanted(layer: LayerContent, packing: LayerPacking | undefined): boolean {
  return packing === undefined || layer.tar === undefined || packingOf(layer.descriptor) === packing;
}

function staysBlob(layer: LayerContent, packing: LayerPacking | undefined): boolean {
  return layer.blob !== undefined && isWanted(layer, packing);
}

async function writeLayer(
  layer: LayerContent,
  destination: ImageDestination,
  packing: LayerPacking | undefined,
  count: Counter,
): Promise<WrittenLayer> {
  const { descriptor, blob, store, tar } = layer;
  // Also for a layer whose blob is gone here: if the destination has it, it need not be made again.
  if (isWanted(layer, packing) && (await destination.hasBlob(descriptor))) {
    count(staysBlob(layer, packing) ? descriptor.size : (layer.tarBytes ?? 0));
    return { descriptor, sentBytes: 0 };
  }
  const counted = countedOnce(count);
  if (blob !== undefined && isWanted(layer, packing)) {
    const content: BlobContent = { name: descriptor, store, open: () => counted(blob()) };
    const { sentBytes } = await destination.putBlob(content);
    return { descriptor, sentBytes };
  }
  if (tar === undefined) throw new Error("unreachable: a layer is a blob, a tar stream or both");
  return packedLayer(descriptor, () => counted(tar()), destination, packing ?? packingOf(descriptor) ?? "gzip");
}

async function packedLayer(
  descriptor: Descriptor,
  tar: () => AsyncIterable<Uint8Array>,
  destination: ImageDestination,
  packing: LayerPacking,
): Promise<WrittenLayer> {
  let packed = packLayer(tar(), packing);
  let opened = false;
  const blob = await destination.putBlob({
    name: undefined,
    open: () => {
      if (opened) packed = packLayer(tar(), packing);
      opened = true;
      return packed.parts;
    },
  });
  const annotations = { ...contentAnnotations(descriptor), ...packed.annotations() };
  const bare: Descriptor = { mediaType: packed.mediaType, digest: blob.digest, size: blob.size };
  // The blob the manifest names, made again bit for bit: everything else the manifest says of it still holds.
  const isSame = bare.digest === descriptor.digest && bare.mediaType === descriptor.mediaType;
  const described = Object.keys(annotations).length === 0 ? bare : { ...bare, annotations };
  return { descriptor: isSame ? descriptor : described, sentBytes: blob.sentBytes };
}

/** Reports the bytes of a layer; those that are read again only once. */
function countedOnce(count: Counter): (source: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array> {
  let countedBytes = 0;
  return async function* (source) {
    let position = 0;
    for await (const part of source) {
      yield part;
      position += part.length;
      if (position <= countedBytes) continue;
      count(position - countedBytes);
      countedBytes = position;
    }
  };
}
