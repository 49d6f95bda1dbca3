/**
 * oci: container images. References, layouts, documents, and the way of an image into a composefs repository.
 *
 * A store: may read and write files, and import repository/ and the format rooms. Prints nothing.
 * @module
 */
export { type BlobInfo, type BlobName, BlobStore } from "./blobs.ts";
export type { ReadImage } from "./choose-image.ts";
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
export { type HistoryEntry, imageHistory } from "./image-history.ts";
export type { ImageSource } from "./image-source.ts";
export { imageTree, makeBootable, type TreeVariant } from "./image-tree.ts";
export {
  computeImageId,
  findConfig,
  findImage,
  type ListedImage,
  listImages,
  referrersOf,
  tagImage,
  untagImage,
} from "./images.ts";
export { putLayer, type WrittenLayer } from "./layer-writer.ts";
export { OciLayout, REF_NAME_ANNOTATION } from "./layout.ts";
export { LAYER_MEDIA_TYPE, layerCompression, MEDIA_TYPE } from "./media-types.ts";
export { formatPlatform, parsePlatform, runningPlatform } from "./platform.ts";
export { ACCEPT_ANYTHING, type PolicyChoice } from "./policy/index.ts";
export { type PulledImage, type PullOptions, pullImage } from "./pull.ts";
export type { LayerStatistics } from "./pull-layers.ts";
export {
  type CopyOptions,
  copyAllImages,
  copyImage,
  copyToStorage,
  DEFAULT_STORAGE_NAME,
  LAYER_PACKINGS,
  type LayerPacking,
  openDestination,
  type PushOptions,
  pushImage,
  refuseReadOnly,
  type WrittenContent,
} from "./push/index.ts";
export { mergeLayers } from "./rebuild-tree.ts";
export {
  formatReference,
  formatRegistryName,
  type ImageReference,
  type PathReference,
  parseReference,
  type RegistryReference,
  type StorageReference,
} from "./reference.ts";
export {
  type Credentials,
  type FetchedManifest,
  type FoundImage,
  findImageInRegistry,
  findManifest,
  getManifest,
  headBlob,
  headManifest,
  listReferrers,
  listTags,
  openForWriting,
  RegistryBlobs,
  RegistryClient,
  type RegistryLimits,
  type RegistryOptions,
  referrersTag,
} from "./registry/index.ts";
export { type RemovedImage, removeImage } from "./remove-image.ts";
export { restoreImage } from "./restore.ts";
export { type OpenedImage, type OpenImageOptions, openImage } from "./source.ts";
export { layerIdsOf, readStoredConfig, readStoredImage, type StoredConfig, type StoredImage } from "./stored-image.ts";
export {
  configStreamName,
  type ImageVariant,
  imageKey,
  layerStreamName,
  manifestStreamName,
  TAG_DIRECTORY,
} from "./stream-names.ts";
export { decodeTag, encodeTag } from "./tag-names.ts";
