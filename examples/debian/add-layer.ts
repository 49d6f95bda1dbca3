/** One more layer on an image in a layout, as `COPY` in a Containerfile adds one. */
import { SealrootError } from "../../src/errors/index.ts";
import { type Descriptor, OciLayout, type Platform, putLayer, readConfig, readManifest } from "../../src/oci/index.ts";

export interface AddLayerOptions {
  /** The name of the image with the layer; the one below keeps its own. */
  readonly tag: string;
  /** What made the layer, as the image's history tells it. */
  readonly createdBy: string;
  readonly compression: { readonly compression: "gzip"; readonly level?: number };
  readonly platform?: Platform;
  /** Further annotations of the manifest, and labels of the configuration. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AddedLayer {
  readonly manifest: Descriptor;
  readonly layer: Descriptor;
  readonly uncompressedBytes: number;
}

/**
 * Puts `tar` on the first image of the layout in `directory`. An image without a history gets none: one must have an entry
 * for each layer.
 * @throws SealrootError `not-found` for a layout without images
 */
export async function addLayer(
  directory: string,
  tar: AsyncIterable<Uint8Array>,
  options: AddLayerOptions,
): Promise<AddedLayer> {
  const layout = await OciLayout.open(directory);
  const [entry] = (await layout.readIndex()).manifests;
  if (entry === undefined) throw new SealrootError("not-found", `Cannot add a layer: ${directory} has no image`);
  const manifest = readManifest(await layout.blobs.readWhole(entry), entry.digest);
  const config = readConfig(await layout.blobs.readWhole(manifest.config), manifest.config.digest);
  const { descriptor, diffId, uncompressedBytes } = await putLayer(layout, tar, options.compression);
  const configDescriptor = await layout.putConfig({
    ...config,
    config: { ...config.config, Labels: { ...config.config?.Labels, ...options.labels } },
    rootfs: { type: "layers", diff_ids: [...config.rootfs.diff_ids, diffId] },
    ...(config.history && { history: [...config.history, { created: config.created, created_by: options.createdBy }] }),
  });
  const annotations = { ...manifest.annotations, ...options.annotations };
  const written = await layout.putManifest(
    {
      ...manifest,
      ...(Object.keys(annotations).length > 0 && { annotations }),
      config: configDescriptor,
      layers: [...manifest.layers, descriptor],
    },
    { tag: options.tag, ...(options.platform !== undefined && { platform: options.platform }) },
  );
  return { manifest: written, layer: descriptor, uncompressedBytes };
}
