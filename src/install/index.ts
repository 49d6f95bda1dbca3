/**
 * install: from an image to a bootable disk, a plain file or a block device (`to-disk`); and looking into an installed
 * disk that does not run: without root (`edit`), or mounted (`mount`).
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
export {
  type EditAction,
  type EditedDisk,
  type EditTarget,
  editDisk,
  listState,
  readStateFile,
  type StateEdit,
  type StateFile,
  saveStateFile,
} from "./edit/edit-disk.ts";
export { type HeldDisk, holdDisk } from "./edit/hold-disk.ts";
export { type DeploymentImage, readDeploymentImage } from "./edit/open-deployment.ts";
export { copyDisk, type WorkCopy } from "./edit/work-copy.ts";
export { type MountDeploymentOptions, type MountedDeployment, mountDeployment } from "./mount/mount-deployment.ts";
export {
  type ForeignOptions,
  type InstallToDiskOptions,
  refuseForeignOptions,
  type UnsealedChoices,
} from "./options.ts";
export { type InstalledDisk, installToDisk } from "./to-disk.ts";
