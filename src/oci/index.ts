/**
 * oci: the documents of container images and the places for them that are files: descriptors, manifests, digests,
 * references, names, blobs, and in layout/ OCI layouts and archives of them.
 *
 * Defines what a place with images looks like (ImageSource, SignatureStore); registries, podman's store and the policy
 * are rooms of their own. May read and write files. Knows nothing of repositories. Prints nothing.
 * @module
 */
export {
  type BlobInfo,
  type BlobName,
  type BlobReader,
  type ByteRange,
  checkedBlob,
  checkedBlobFile,
  isFileOfSize,
  measuredParts,
  once,
  type RangePiece,
  sizeMismatch,
  wholeBlob,
} from "./blobs.ts";
export { type ConfigurationFile, readConfigurationFiles } from "./configuration-files.ts";
export { checkDigest, DigestCheck, digestLike, digestOf, isDigest, splitDigest } from "./digest.ts";
export { COSIGN_TAG_SUFFIXES, cosignTag, referrersTag } from "./digest-tags.ts";
export { expandRepository, fullImageName, repositoryOfName } from "./docker-names.ts";
export {
  type Descriptor,
  DOCUMENT_MAX_BYTES,
  describeDocument,
  documentBytes,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  indexSchema,
  type Platform,
  readConfig,
  readDockerManifest,
  readIndex,
  readJson,
  readManifest,
} from "./documents.ts";
export { type HostPaths, hostPaths, userConfigurationDirectory, userDataDirectory } from "./host-paths.ts";
export { formatImageName, type ImageName, isNamePrefix, nameOfReference, parseImageName } from "./image-name.ts";
export type { ImageSource } from "./image-source.ts";
export { compressionOf, decompressLayer } from "./layer-compression.ts";
export { fromLayer, inLayer, type LayerPlace, layerPlaces } from "./layer-place.ts";
export { type BegunLayout, beginLayout } from "./layout/begun-layout.ts";
export { BlobStore } from "./layout/blob-store.ts";
export { putLayer, type WrittenLayer } from "./layout/layer-writer.ts";
export { OciLayout } from "./layout/layout.ts";
export { layoutSignatures } from "./layout/layout-signatures.ts";
export { openArchiveSource, openLayoutSource } from "./layout/layout-source.ts";
export { entryNamed, REF_NAME_ANNOTATION } from "./layout/ref-name.ts";
export { TarFile, type TarFileMember } from "./layout/tar-file.ts";
export { manifestMediaType } from "./manifest-kind.ts";
export {
  DOCKER_MEDIA_TYPE,
  isDockerConfig,
  LAYER_MEDIA_TYPE,
  layerCompression,
  MEDIA_TYPE,
  ociLayerMediaType,
} from "./media-types.ts";
export { nameScopeProblem, withoutEndSlashes } from "./name-scope.ts";
export type { OpenedPlace, StoragePlace } from "./opened-place.ts";
export { formatPlatform, parsePlatform, platformOf, platformRank, runningPlatform } from "./platform.ts";
export {
  formatReference,
  type ImageReference,
  type PathReference,
  parseReference,
  type RegistryReference,
  type StorageReference,
} from "./reference.ts";
export { canonicalHost, canonicalName, isHost } from "./registry-host.ts";
export { resolvedPath } from "./resolved-path.ts";
export { isSameImage } from "./same-image.ts";
export { readSignatureBlobs, type SignatureStore, type StoredManifest } from "./signature-store.ts";
export {
  bodyBytes,
  type LayerBody,
  type LayerPart,
  type UnpackedLayer,
  type UnpackedLayers,
  unpackedTar,
} from "./unpacked-layers.ts";
