/**
 * addon: small signed programs that systemd-stub loads beside a UKI: made, listed wherever they are, put onto disk files and taken
 * from them. What they may change is a rule of `bootimage/`; those of a host that runs are in `host/addons`.
 *
 * System room: uses `seal/` to look into images and `install/` to look into disks and change them. Needs no root.
 * @module
 */
export { type AddonContents, buildAddon } from "./build-addon.ts";
export type { ListedAddon } from "./describe-addon.ts";
export {
  type AddonTarget,
  addToDisk,
  type DiskAddonChange,
  type NewAddon,
  removeFromDisk,
} from "./edit-disk-addons.ts";
export { addonOfFile, addonsOfDirectory, addonsOfDisk, addonsOfImage } from "./list-addons.ts";
