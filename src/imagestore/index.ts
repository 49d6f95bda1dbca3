/**
 * imagestore: images in a composefs repository; the one room that knows both.
 *
 *   pull/     an image into a repository             layer/  one layer into objects and a split stream
 *   partial/  only the missing parts of a layer      tree/   the file tree of a stored image, and images made of it
 *   push/     a stored image out of the repository
 *
 * At the top are the stored images themselves: names, tags, documents, history, removal. Prints nothing.
 * @module
 */

export { DeltaLayers } from "./delta/delta-layers.ts";
export { HOST_TAG_PREFIX, type HostTags, hostTags, manifestsByImage } from "./host-tags.ts";
export { type HistoryEntry, imageHistory } from "./image-history.ts";
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
} from "./images.ts";
export { linkedImages } from "./linked-images.ts";
export { type AnnouncedLayer, type AnnouncedPull, announcePull, readAnnounced } from "./pull/announce-pull.ts";
export { completeImage, imageWithoutSource, isWholeImage } from "./pull/complete-image.ts";
export { type PulledImage, type PullOptions, pullImage, pullOpenedImage, storedConfigBytes } from "./pull/pull.ts";
export { pullLayers } from "./pull/pull-layers.ts";
export { restoreImage } from "./pull/restore.ts";
export { copyToStorage } from "./push/copy-to-storage.ts";
export { pushImage } from "./push/push-image.ts";
export { removeImage } from "./remove-image.ts";
export {
  type LayeredConfig,
  readStoredConfig,
  readStoredImage,
  type StoredImage,
  storedLayers,
} from "./stored-image.ts";
export { configStreamName, imageKey, layerStreamName, manifestStreamName, TAG_DIRECTORY } from "./stream-names.ts";
export { decodeTag } from "./tag-names.ts";
export {
  type BootImage,
  bootImageById,
  bootImages,
  describeBootImage,
  type RecordedBootImage,
} from "./tree/boot-images.ts";
export { diffHint } from "./tree/diff-hint.ts";
export { imageTree, storedContents } from "./tree/image-tree.ts";
export { mayHaveXattrs } from "./tree/layer-mentions.ts";
export { type MergeObserver, mergeLayers } from "./tree/merge-layers.ts";
export { namedBootImages } from "./tree/named-images.ts";
