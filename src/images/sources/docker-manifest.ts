/** Docker's image manifests (version 2, schema 2) as OCI manifests of the same image (spec/chunked-and-policy.md 4.7). */
import { SealrootError } from "../../errors/index.ts";
import {
  type Descriptor,
  DOCKER_MEDIA_TYPE,
  documentBytes,
  type ImageManifest,
  isDockerConfig,
  MEDIA_TYPE,
  ociLayerMediaType,
  readDockerManifest,
  readManifest,
} from "../../oci/index.ts";

/**
 * The OCI manifest of an image that has a Docker manifest. Blobs stay the same, and the configuration too: its fields
 * are a superset of OCI's, and its digest is the image's id. Only the manifest's digest changes.
 *
 * @param path names the document in errors
 * @returns its bytes, the same for the same manifest
 * @throws SealrootError `corrupt`; `unsupported` for anything but an image, such as a plugin
 */
export function ociManifestOfDocker(bytes: Uint8Array, path: string): Uint8Array {
  const { config, layers } = readDockerManifest(bytes, path);
  if (!isDockerConfig(config.mediaType)) {
    throw new SealrootError("unsupported", `Cannot read Docker manifest: "${config.mediaType}" is not an image`, {
      path,
    });
  }
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: { ...config, mediaType: MEDIA_TYPE.config },
    layers: layers.map((layer) => ociLayer(layer, path)),
  };
  return documentBytes(manifest);
}

/** An OCI manifest whose configuration has Docker's media type, with OCI's; undefined for any other. */
export function withOciConfig(bytes: Uint8Array, path: string): Uint8Array | undefined {
  const manifest = readManifest(bytes, path);
  if (manifest.config.mediaType !== DOCKER_MEDIA_TYPE.config) return undefined;
  return documentBytes({ ...manifest, config: { ...manifest.config, mediaType: MEDIA_TYPE.config } });
}

function ociLayer(layer: Descriptor, path: string): Descriptor {
  const mediaType = ociLayerMediaType(layer.mediaType);
  if (mediaType !== undefined) return { ...layer, mediaType };
  const what = `Cannot read Docker manifest: media type "${layer.mediaType}" is not a layer`;
  throw new SealrootError("unsupported", what, { path });
}
