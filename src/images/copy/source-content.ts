/** An image at a source, to be written elsewhere: its unchanged blobs, or what is kept of them. */
import type { BlobReader, Descriptor, ImageSource } from "../../oci/index.ts";
import {
  BlobStore,
  decompressLayer,
  fromLayer,
  type LayerPlace,
  layerCompression,
  layerPlaces,
  type UnpackedLayer,
  unpackedTar,
} from "../../oci/index.ts";
import type { OpenedImage } from "../sources/open-image.ts";
import { checkedDiffId } from "./checked-diff-id.ts";
import type { ImageContent, LayerContent } from "./image-content.ts";

/** The image with its layers; nothing of them is read yet. */
export function sourceContent(image: OpenedImage): ImageContent {
  const { descriptor, manifest, manifestBytes, configBytes, config } = image;
  const places = layerPlaces(
    manifest.layers.map(({ digest }) => digest),
    config,
  );
  const layers = manifest.layers.map((layer, index) => {
    const diffId = config?.rootfs.diff_ids[index];
    const isUnpacked = image.unpacked !== undefined && diffId !== undefined;
    const content = isUnpacked
      ? unpackedContent(image.unpacked.find(diffId), layer, diffId)
      : layerContent(image.blobs, layer, diffId);
    return placed(content, places[index]);
  });
  return { descriptor, manifest, manifestBytes, configBytes, layers, sourceDigest: image.original.descriptor.digest };
}

/** A manifest of any kind with its blobs, which are not interpreted. */
export async function verbatimContent(
  source: ImageSource,
  descriptor: Descriptor,
  manifest: ImageContent["manifest"],
  manifestBytes: Uint8Array,
): Promise<ImageContent> {
  const configBytes = await source.blobs.readWhole(manifest.config);
  const layers = manifest.layers.map((layer) => layerContent(source.blobs, layer, undefined));
  return { descriptor, manifest, manifestBytes, configBytes, layers, sourceDigest: descriptor.digest };
}

/** Read errors say which layer it is; write errors are the destination's. */
export function placed(content: LayerContent, place: LayerPlace | undefined): LayerContent {
  if (place === undefined) return content;
  const { blob, tar } = content;
  return {
    ...content,
    blob: blob && (() => fromLayer(place, blob())),
    tar: tar && (() => fromLayer(place, tar())),
  };
}

function unpackedContent(unpacked: UnpackedLayer, descriptor: Descriptor, diffId: string): LayerContent {
  const tar = () => checkedDiffId(unpackedTar(unpacked), diffId);
  return { descriptor, blob: undefined, tar, tarBytes: unpacked.sizeBytes };
}

/** @param diffId undefined: the blob is only passed on */
function layerContent(blobs: BlobReader, descriptor: Descriptor, diffId: string | undefined): LayerContent {
  const compression = layerCompression(descriptor.mediaType);
  const isTar = diffId !== undefined && compression !== undefined;
  return {
    descriptor,
    blob: () => blobs.read(descriptor),
    store: blobs instanceof BlobStore ? blobs : undefined,
    tar: isTar ? () => checkedDiffId(decompressLayer(blobs.read(descriptor), compression), diffId) : undefined,
    tarBytes: undefined,
  };
}
