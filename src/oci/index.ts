/**
 * oci: container images. References, layouts, documents, and the way of an image into a composefs repository.
 *
 * A store: may read and write files, and import repository/ and the format rooms. Prints nothing.
 * @module
 */
export { type BlobInfo, type BlobName, BlobStore } from "./blobs.ts";
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
export { putLayer, type WrittenLayer } from "./layer-writer.ts";
export { OciLayout, REF_NAME_ANNOTATION } from "./layout.ts";
export { LAYER_MEDIA_TYPE, layerCompression, MEDIA_TYPE } from "./media-types.ts";
