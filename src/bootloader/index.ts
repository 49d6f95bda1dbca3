/**
 * bootloader: boot loaders and boot entries as a store: what an ESP holds and how the next boot is chosen.
 *
 * Store room: knows spec/host.md 1.4 to 1.7 and may use `disk/`; knows nothing of repositories and deployments' state.
 * @module
 */
export { isAndroidBootImage } from "./android-image.ts";
export {
  type EnrolmentFile,
  type EspLayout,
  type EspLayoutOptions,
  espLayout,
  type UkiAddon,
} from "./esp-layout.ts";
export {
  findAddons,
  findEnrolmentFiles,
  findLoader,
  findUkis,
  IMAGE_KERNELS_FOLDER,
  IMAGE_KEYS_FOLDER,
  IMAGE_UKI_FOLDER,
  type ImageReader,
} from "./image-content.ts";
