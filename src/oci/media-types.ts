/** Media types of the OCI image specification (media-types.md) and which layers are tar (spec/oci.md 2). */
import type { Compression } from "../zstd/index.ts";

export const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  emptyConfig: "application/vnd.oci.empty.v1+json",
} as const;

/** What Docker calls the same documents (image manifest version 2, schema 2; spec/chunked-and-policy.md 4.7). */
export const DOCKER_MEDIA_TYPE = {
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  config: "application/vnd.docker.container.image.v1+json",
  // Of before 2016: known by name, in order to be refused.
  schema1: "application/vnd.docker.distribution.manifest.v1+json",
  signedSchema1: "application/vnd.docker.distribution.manifest.v1+prettyjws",
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

const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar";

const OCI_OF_DOCKER_LAYER: ReadonlyMap<string, string> = new Map([
  [DOCKER_LAYER, LAYER_MEDIA_TYPE.none],
  [`${DOCKER_LAYER}.gzip`, LAYER_MEDIA_TYPE.gzip],
  [`${DOCKER_LAYER}.zstd`, LAYER_MEDIA_TYPE.zstd],
  [DOCKER_FOREIGN_LAYER, NONDISTRIBUTABLE],
  [`${DOCKER_FOREIGN_LAYER}.gzip`, `${NONDISTRIBUTABLE}+gzip`],
]);

/** The media type OCI has for a layer of Docker's type; undefined for any other. */
export function ociLayerMediaType(dockerMediaType: string): string | undefined {
  return OCI_OF_DOCKER_LAYER.get(dockerMediaType);
}

/** How a layer of this media type is compressed; undefined when it is not a tar layer but a blob of its own kind. */
export function layerCompression(mediaType: string): Compression | undefined {
  return COMPRESSION_OF_LAYER.get(mediaType);
}
