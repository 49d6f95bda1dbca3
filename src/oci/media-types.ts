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
  // From before 2016: known in order to be refused by name.
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

/**
 * What registries and builders have put in place of the type of Docker's configuration, and docker still accepts as an
 * image (moby, distribution/metadata: issues 1621 of distribution, 22378 and 30083 of moby); "" is a field left empty.
 */
const MISTAKEN_CONFIGS = ["application/octet-stream", "application/json", "text/html", ""];

const DOCKER_CONFIGS: ReadonlySet<string> = new Set([DOCKER_MEDIA_TYPE.config, MEDIA_TYPE.config, ...MISTAKEN_CONFIGS]);

/** True when a Docker manifest with a configuration of this type is an image, and not a plugin or the like. */
export function isDockerConfig(mediaType: string): boolean {
  return DOCKER_CONFIGS.has(mediaType);
}

const OCI_OF_DOCKER_LAYER: ReadonlyMap<string, string> = new Map([
  [DOCKER_LAYER, LAYER_MEDIA_TYPE.none],
  [`${DOCKER_LAYER}.gzip`, LAYER_MEDIA_TYPE.gzip],
  [`${DOCKER_LAYER}.zstd`, LAYER_MEDIA_TYPE.zstd],
  [DOCKER_FOREIGN_LAYER, NONDISTRIBUTABLE],
  [`${DOCKER_FOREIGN_LAYER}.gzip`, `${NONDISTRIBUTABLE}+gzip`],
]);

/** OCI's media type for a tar layer of an OCI or Docker type; undefined for any other. */
export function ociLayerMediaType(mediaType: string): string | undefined {
  return COMPRESSION_OF_LAYER.has(mediaType) ? mediaType : OCI_OF_DOCKER_LAYER.get(mediaType);
}

/**
 * How a layer of this media type is compressed; undefined for a blob that is not a tar layer. Builders put OCI layers
 * on Docker images and vice versa, so the kind of manifest does not matter.
 */
export function layerCompression(mediaType: string): Compression | undefined {
  const ociMediaType = ociLayerMediaType(mediaType);
  return ociMediaType === undefined ? undefined : COMPRESSION_OF_LAYER.get(ociMediaType);
}
