/** An image of a repository, to be written elsewhere: documents verbatim, tar streams reassembled. */
import { corrupt } from "../../errors/index.ts";
import type { ImageContent, LayerContent } from "../../images/index.ts";
import { checkedDiffId, placed } from "../../images/index.ts";
import type { Descriptor } from "../../oci/index.ts";
import { layerCompression, layerPlaces, MEDIA_TYPE, platformOf } from "../../oci/index.ts";
import { type Repository, streamContent } from "../../repository/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { StoredImage } from "../stored-image.ts";

/**
 * The image with its layers; only the heads of their streams are read yet. The blobs of tar layers are
 * gone (spec/oci.md 1: what is kept is the tar); an artifact's blobs are there.
 *
 * @throws SealrootError `corrupt` when manifest, configuration and streams do not fit together
 */
export function storedContent(repository: Repository, image: StoredImage): ImageContent {
  const { manifest, manifestBytes, manifestDigest, bytes, config } = image;
  const diffIds = config?.rootfs.diff_ids ?? manifest.layers.map((layer) => layer.digest);
  if (diffIds.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers, ${diffIds.length} diff ids`;
    throw corrupt(`Cannot read image ${manifestDigest}: manifest and configuration disagree: ${counts}`);
  }
  const places = layerPlaces(
    manifest.layers.map(({ digest }) => digest),
    config,
  );
  const layers = manifest.layers.map((layer, index) => {
    const diffId = diffIds[index];
    if (diffId === undefined) throw new Error("unreachable: there are as many diff ids as layers");
    return placed(storedLayer(repository, image, layer, diffId), places[index]);
  });
  const descriptor: Descriptor = {
    mediaType: MEDIA_TYPE.manifest,
    digest: manifestDigest,
    size: manifestBytes.length,
    ...(config !== undefined && { platform: platformOf(config, image.digest) }),
  };
  return { descriptor, manifest, manifestBytes, configBytes: bytes, layers, sourceDigest: manifestDigest };
}

function storedLayer(repository: Repository, image: StoredImage, descriptor: Descriptor, diffId: string): LayerContent {
  const streamId = image.layers.get(diffId);
  if (streamId === undefined) {
    throw corrupt(`Cannot read image ${image.manifestDigest}: its configuration does not refer to its layer ${diffId}`);
  }
  const isTar = image.config !== undefined && layerCompression(descriptor.mediaType) !== undefined;
  if (!isTar) {
    const blob = () => copied(streamContent(repository, streamId));
    return { descriptor, blob, tar: undefined, tarBytes: undefined };
  }
  const { sizeBytes } = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm });
  const tar = () => checkedDiffId(streamContent(repository, streamId), diffId);
  return { descriptor, blob: undefined, tar, tarBytes: sizeBytes };
}

/** A blob may still be in transit long after the next piece was requested. */
async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield new Uint8Array(piece);
}
