/**
 * bootloader: boot loaders and boot entries: what an EFI system partition holds and what is booted from it.
 *
 * Store room: knows spec/host.md 1.4 to 1.7 and may use `disk/`; knows nothing of repositories and deployments' state.
 * @module
 */
export {
  addonFolder,
  addonLines,
  addonPath,
  GLOBAL_ADDONS_FOLDER,
  type InstalledAddon,
  type InstalledAddons,
  installedAddons,
  installedAddonsIn,
} from "./addon-files.ts";
export { ESP_KERNELS_FOLDER, type KernelDeployment, type UkiDeployment } from "./boot-entries.ts";
export type { BootLoader } from "./boot-loader.ts";
export { type BootFiles, type DefaultEntry, defaultEntry } from "./default-entry.ts";
export {
  type EntryListing,
  EntryStore,
  type MenuOrder,
  type NewEntry,
  type StoredEntry,
  type UnusableEntry,
} from "./entry-store.ts";
export { removeFromEsp, writeEspFile } from "./esp-file.ts";
export { type EspLayout, espLayout } from "./esp-layout.ts";
export { checkEspSpace, type EspSpace, espSpace } from "./esp-space.ts";
export { type BootEntryStore, GRUB_MENU, GRUB_MENU_FOLDER, STAGED_GRUB_MENU } from "./grub-menu-store.ts";
export { findKernelFolder } from "./kernel-folders.ts";
export {
  fallbackLoaderPath,
  installedLoaderPath,
  isFallbackLoader,
  isInstalledLoader,
  LOADER_FOLDERS,
} from "./loader-path.ts";
export { hasGrubMenu, openEntryStore } from "./open-entry-store.ts";
export { type EnrolmentMode, type SystemdBootOptions, systemdBoot, ukiKeyOfLoader } from "./systemd-boot.ts";
