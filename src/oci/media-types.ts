/** Media types of the OCI image specification (media-types.md) and which layers are tar (spec/oci.md 2). */
import type { Compression } from "../zstd/index.ts";

export const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  emptyConfig: "application/vnd.oci.empty.v1+json",
} as const;

/** The media type of a layer by its compression. */
export const LAYER_MEDIA_TYPE: Readonly<Record<Compression, string>> = {
  none: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
};

const NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar";

const COMPRESSION_OF_LAYER: ReadonlyMap<string, Compression> = new Map([
  ...Object.entries(LAYER_MEDIA_TYPE).map(([compression, type]) => [type, compression as Compression] as const),
  [NONDISTRIBUTABLE, "none"] as const,
  [`${NONDISTRIBUTABLE}+gzip`, "gzip"] as const,
  [`${NONDISTRIBUTABLE}+zstd`, "zstd"] as const,
]);

/** How a layer of this media type is compressed; undefined when it is not a tar layer but a blob of its own kind. */
export function layerCompression(mediaType: string): Compression | undefined {
  return COMPRESSION_OF_LAYER.get(mediaType);
}
