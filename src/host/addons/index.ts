/** Add-ons of UKIs on the running host: which there are, added, removed, switched. */
export { type AddAddonsOptions, type AddedAddon, addAddons, planAddons } from "./add-addons.ts";
export {
  addedAddonLines,
  addonJson,
  addonListLines,
  addonText,
  referencedAddonLines,
  referencedAddonsJson,
  removedAddonLines,
} from "./addons-text.ts";
export { addonsOfHost, type ReferencedAddons, referencedAddons } from "./list-addons.ts";
export { type RemovedAddon, removeAddon } from "./remove-addon.ts";
export { changedOnEsp, writeGlobalAddons } from "./switch-addons.ts";
