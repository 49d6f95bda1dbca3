/**
 * oci: container images: references, places they come from and go to, and their way into a composefs repository.
 *
 *   sources/   one shape for every place that has images       layout/    OCI layouts and archives of them
 *   registry/  the client for registries                       storage/   podman's store
 *   policy/    signatures, and what may be used at all         pull/      into a repository
 *   partial/   of a layer only what is missing                 stored/    images in a repository
 *   push/      out of a repository, and from place to place
 *
 * A store: may read and write files and talk to registries, and import repository/ and the format rooms. Prints nothing.
 * @module
 */
export type { BlobName } from "./blobs.ts";
export { digestOf, isDigest } from "./digest.ts";
export {
  type Descriptor,
  documentBytes,
  type ImageConfig,
  type ImageIndex,
  type ImageManifest,
  type Platform,
  readConfig,
  readIndex,
  readManifest,
} from "./documents.ts";
export { type BegunLayout, beginLayout } from "./layout/begun-layout.ts";
export { BlobStore } from "./layout/blob-store.ts";
export { putLayer, type WrittenLayer } from "./layout/layer-writer.ts";
export { OciLayout } from "./layout/layout.ts";
export { layerCompression, MEDIA_TYPE } from "./media-types.ts";
export { parsePlatform, platformOf } from "./platform.ts";
export { ACCEPT_ANYTHING, loadPolicy, type PolicyChoice } from "./policy/index.ts";
export { type PulledImage, type PullOptions, pullImage, pullOpenedImage } from "./pull/pull.ts";
export type { LayerStatistics } from "./pull/pull-layers.ts";
export type { BootImageChooser, RecordedBootImage } from "./pull/record-image.ts";
export { restoreImage } from "./pull/restore.ts";
export {
  type CopyOptions,
  copyAllImages,
  copyImage,
  copyInto,
  copyToStorage,
  type LayerPacking,
  layersAtHand,
  openDestination,
  type PushOptions,
  pushImage,
  toDestination,
  type WrittenContent,
} from "./push/index.ts";
export {
  formatReference,
  type ImageReference,
  type PathReference,
  parseReference,
  type RegistryReference,
} from "./reference.ts";
export {
  type Credentials,
  findImageInRegistry,
  findManifest,
  headManifest,
  listReferrers,
  listTags,
  openForWriting,
  RegistryBlobs,
  RegistryClient,
  type RegistryLimits,
  type RegistryOptions,
} from "./registry/index.ts";
export { isSameImage } from "./same-image.ts";
export { type OpenedImage, type OpenImageOptions, openImage } from "./sources/open-image.ts";
export {
  type BootImage,
  type BootRule,
  bootImageById,
  bootImages,
  DEFAULT_BOOT_RULE,
  describeBootImage,
} from "./stored/boot-images.ts";
export { type HistoryEntry, imageHistory } from "./stored/image-history.ts";
export { imageTree, makeBootable, type TreeVariant } from "./stored/image-tree.ts";
export {
  computeImageId,
  findImage,
  type ListedImage,
  listImages,
  manifestsBeginningWith,
  referrersOf,
  taggedManifest,
  tagImage,
  untagImage,
} from "./stored/images.ts";
export { type LinkedImage, linkedImages } from "./stored/linked-images.ts";
export { namedBootImages } from "./stored/named-images.ts";
export { mergeLayers } from "./stored/rebuild-tree.ts";
export { type RemovedImage, removeImage } from "./stored/remove-image.ts";
export {
  readStoredConfig,
  readStoredImage,
  type StoredConfig,
  type StoredImage,
  storedLayers,
} from "./stored/stored-image.ts";
export {
  imageKey,
  layerStreamName,
  TAG_DIRECTORY,
} from "./stored/stream-names.ts";
export { decodeTag, encodeTag } from "./stored/tag-names.ts";
