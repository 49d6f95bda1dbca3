/** Writing images: to layouts, archives, directories and registries, from a repository or from any other place. */
export { copyAllImages } from "./copy-all-images.ts";
export { type CopyOptions, copyImage, copyInto } from "./copy-image.ts";
export {
  type CopiedToStorage,
  type CopyToStorageOptions,
  copyToStorage,
} from "./copy-to-storage.ts";
export { layersAtHand } from "./layers-at-hand.ts";
export { openDestination } from "./open-destination.ts";
export type { LayerPacking } from "./pack-layer.ts";
export { type PushOptions, pushImage, toDestination } from "./push-image.ts";
export type { WrittenContent } from "./write-image.ts";
