/** A changed image as an OCI image: the input's own layers and configuration, and one more layer. */

import type { OpenedImage } from "../images/index.ts";
import {
  BlobStore,
  type Descriptor,
  type ImageConfig,
  layerCompression,
  type OciLayout,
  platformOf,
  putLayer,
  type WrittenLayer,
} from "../oci/index.ts";
import { type TarMember, writeTar } from "../tar/index.ts";

export interface WrittenImage {
  readonly manifest: Descriptor;
  readonly layer: WrittenLayer;
}

/** The added layer in the history of a sealed image. */
export const SEALED_BY = "sealroot seal";

/**
 * True when the last step of the image was to seal it: known before any of its layers is read.
 * @param config undefined for an artifact
 */
export function wasSealedLast(config: ImageConfig | undefined): boolean {
  return config?.history?.at(-1)?.created_by === SEALED_BY;
}

/** The added layer as configuration and history tell of it. */
export interface HistoryStep {
  /** What did it. */
  readonly createdBy: string;
  readonly created: Date;
}

/** Image labels of bootc (spec/host-build.md 2): this image boots. */
const BOOTABLE_LABELS = { "containers.bootc": "1", "ostree.bootable": "1" };

/**
 * Writes the image into `output` under `tag`. The index names it last, when everything it needs is there.
 *
 * @param members the added layer
 */
export async function writeChangedImage(
  source: OpenedImage & { readonly config: ImageConfig },
  members: readonly TarMember[],
  output: OciLayout,
  tag: string,
  step: HistoryStep,
): Promise<WrittenImage> {
  for (const layer of source.manifest.layers) await copyBlob(source, layer, output);
  // The layer is compressed like the input's last one, so that readers of the input can read the result.
  const last = source.manifest.layers.at(-1);
  const compression = (last && layerCompression(last.mediaType)) ?? "gzip";
  const layer = await putLayer(output, writeTar(members), { compression });
  const config = await output.putConfig(configWithLayer(source.config, layer.diffId, step));
  const platform = platformOf(source.config, source.manifest.config.digest);
  const manifest = await output.putManifest(
    { ...source.manifest, config, layers: [...source.manifest.layers, layer.descriptor] },
    { tag, platform },
  );
  return { manifest, layer };
}

async function copyBlob(source: OpenedImage, layer: Descriptor, output: OciLayout): Promise<void> {
  if (!(source.blobs instanceof BlobStore)) await output.blobs.put(source.blobs.read(layer));
  else if (source.blobs.directory !== output.directory) await output.blobs.copyFrom(source.blobs, layer);
}

function configWithLayer(config: ImageConfig, diffId: string, { createdBy, created }: HistoryStep): ImageConfig {
  const time = created.toISOString().replace(/\.000Z$/, "Z");
  return {
    ...config,
    created: time,
    config: { ...config.config, Labels: { ...config.config?.Labels, ...BOOTABLE_LABELS } },
    rootfs: { ...config.rootfs, diff_ids: [...config.rootfs.diff_ids, diffId] },
    // A history must have an entry for each layer; if the input has none, none is begun in the middle.
    ...(config.history && { history: [...config.history, { created: time, created_by: createdBy }] }),
  };
}

/** The image's own time, so that changing it again gives the same bytes. */
export function imageTime(config: ImageConfig): Date {
  const milliseconds = Date.parse(config.created ?? "");
  return new Date(Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000) * 1000);
}
