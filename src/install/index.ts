/**
 * install: from a sealed image to a bootable disk, a plain file or a block device (`to-disk`).
 *
 * System room: combines the stores (oci, repository, deployment, bootloader, disk) into named steps; knows the rules of
 * spec/host-install.md; prints nothing.
 * @module
 */
export {
  CONFIGURATION_KEYS,
  configurationJson,
  type InstallConfiguration,
  type LoadedConfiguration,
  loadInstallConfiguration,
} from "./configuration.ts";
export { type ForeignOptions, type InstallToDiskOptions, refuseForeignOptions } from "./options.ts";
export { type InstalledDisk, installToDisk } from "./to-disk.ts";
