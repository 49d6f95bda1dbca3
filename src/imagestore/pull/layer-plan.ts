/** Which layers of an image the repository has, and which must be fetched. */
import { SealrootError } from "../../errors/index.ts";
import type { OpenedImage } from "../../images/index.ts";
import { inLayer, layerCompression, layerPlaces } from "../../oci/index.ts";
import type { Repository } from "../../repository/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { Layer } from "../layer/layer.ts";
import type { StoredConfig } from "../stored-image.ts";
import { layerStreamName } from "../stream-names.ts";

const DECRYPT_HINT = "decrypt it first: skopeo copy --decryption-key KEY";

export interface LayerPlan {
  /** Each layer once, in the order of first use: an image may list one twice. */
  readonly layers: readonly Layer[];
  /** Diff ids of the layers that are in the repository to the object ids of their streams. */
  readonly present: ReadonlyMap<string, string>;
}

/**
 * @param options.known the image's configuration as left by an earlier pull
 * @param options.complete true: a layer with a missing object counts as missing
 * @throws SealrootError `unsupported` for a layer that is not a tar
 */
export function planLayers(
  repository: Repository,
  image: Pick<OpenedImage, "config" | "manifest">,
  options: { readonly known: StoredConfig | undefined; readonly complete: boolean },
): LayerPlan {
  const layers = new Map<string, Layer>();
  for (const layer of layersOf(image)) {
    if (!layers.has(layer.diffId)) layers.set(layer.diffId, layer);
  }
  const present = new Map<string, string>();
  for (const diffId of layers.keys()) {
    const streamId = options.known?.layers.get(diffId) ?? repository.streams.find(layerStreamName(diffId));
    if (streamId !== undefined && isPresent(repository, streamId, options.complete)) present.set(diffId, streamId);
  }
  return { layers: [...layers.values()], present };
}

/** @param complete true: with everything the stream needs */
function isPresent(repository: Repository, streamId: string, complete: boolean): boolean {
  if (!repository.objects.has(streamId)) return false;
  if (!complete) return true;
  const { objectRefs } = readSplitStream(repository.objects.read(streamId), { algorithm: repository.algorithm });
  return objectRefs.every((objectId) => repository.objects.has(objectId));
}

function notATar(mediaType: string): SealrootError {
  const data = mediaType.endsWith("+encrypted") ? { hint: DECRYPT_HINT } : {};
  return new SealrootError("unsupported", `Cannot unpack it: media type "${mediaType}" is not a tar layer`, data);
}

function layersOf({ config, manifest }: Pick<OpenedImage, "config" | "manifest">): Layer[] {
  const digests = manifest.layers.map(({ digest }) => digest);
  const places = layerPlaces(digests, config);
  return places.map((place, index) => {
    const blob = manifest.layers[index];
    if (blob === undefined) throw new Error("unreachable: a place is that of a layer");
    if (config === undefined) return { blob, diffId: blob.digest, compression: undefined, place };
    const compression = layerCompression(blob.mediaType);
    const diffId = config.rootfs.diff_ids[index];
    if (diffId === undefined) throw new Error("unreachable: openImage() compared the number of layers and diff ids");
    if (compression !== undefined) return { blob, diffId, compression, place };
    throw inLayer(place, notATar(blob.mediaType));
  });
}
