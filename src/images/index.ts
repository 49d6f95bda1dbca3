/**
 * images: every place that images are read from or written to, in one shape.
 *
 *   sources/  opens what a reference names, asks the policy, chooses one image of it
 *   copy/     from place to place: layouts, archives, directories, registries
 *   podman/   podman's store, read as a source
 *
 * Reads and writes files and talks to registries. Knows nothing of composefs repositories. Prints nothing.
 * @module
 */
export { checkedDiffId } from "./copy/checked-diff-id.ts";
export { copyAllImages } from "./copy/copy-all-images.ts";
export { copyImage, copyInto } from "./copy/copy-image.ts";
export type { ImageDestination } from "./copy/destination.ts";
export type { ImageContent, LayerContent } from "./copy/image-content.ts";
export { layersAtHand } from "./copy/layers-at-hand.ts";
export { openDestination, toDestination } from "./copy/open-destination.ts";
export type { LayerPacking } from "./copy/pack-layer.ts";
export { placed } from "./copy/source-content.ts";
export { type PushOptions, type WrittenContent, writeImage } from "./copy/write-image.ts";
export { type OpenedDelta, openDelta } from "./sources/open-delta.ts";
export { type OpenedImage, type OpenImageOptions, openImage } from "./sources/open-image.ts";
