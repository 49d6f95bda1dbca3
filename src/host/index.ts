/**
 * host: the running system: which deployments it has, which one runs, which one comes next.
 *
 * Systems room: puts together what `bootloader/`, `deployment/` and `imagestore/` each know. All of it takes the host's
 * places as a value (HostPlaces), so that a folder can stand for a host; open-host.ts alone looks at the machine.
 * @module
 */

export * from "./addons/index.ts";
export { bootedKernelArguments } from "./booted-arguments.ts";
export { type BootedRoot, readBootedRoot, readUsrOverlay, type UsrOverlay } from "./booted-root.ts";
export * from "./boots/index.ts";
export { type BootedChain, type ChainLink, readBootedChain } from "./chain.ts";
export { garbageBootFiles } from "./collect/boot-files.ts";
export { type CollectHostOptions, collectHost, type HostCollection, isNoOp } from "./collect/collect-host.ts";
export { collectionJson, collectionLines } from "./collect/collection-text.ts";
export { collectImages } from "./collect/garbage-images.ts";
export { garbageState } from "./collect/garbage-state.ts";
export { findInUse, type InUse } from "./collect/in-use.ts";
export { disksOfDevice } from "./colocated-esp.ts";
export { configDiff } from "./config-diff.ts";
export { type DeletedDeployment, deleteDeployment, deletedText } from "./delete-deployment.ts";
export { type EncryptedRoot, encryptedPartition, readEncryptedRoot } from "./encrypted-root.ts";
export { DEFAULT_RETENTION, entriesAfterUpgrade, menuFiles, type Retention } from "./entry-order.ts";
export { etcOfDeployment } from "./etc-trees.ts";
export { deploymentByPrefix, type NamedDeployment } from "./find-deployment.ts";
export {
  type FirmwareVariables,
  firmwareDatabases,
  firmwareVariables,
  loaderVariable,
  shimSbatLevel,
} from "./firmware.ts";
export type { DeploymentImage, Host, HostDeployment, HostProblem } from "./host.ts";
export { HOST_CONFIGURATION_PATH, readRetention } from "./host-configuration.ts";
export type { BootFilePlace, BootLoaderName, HostPlaces } from "./host-places.ts";
export { bootFilePath, espOf, menuOrder, placeOfBootFile, requireEsp } from "./host-places.ts";
export { type MountedHostOptions, openMountedHost } from "./mounted-host.ts";
export { bootLoaderName, type OpenedHost, type OpenHostOptions, openHost, openHostWhenFree } from "./open-host.ts";
export { type Pinned, pinText, setPinned } from "./pin.ts";
export { readHost } from "./read-host.ts";
export { rebootHost, startFinalizer } from "./reboot.ts";
export { type RolledBack, rollback, rollbackLines } from "./rollback.ts";
export {
  checkRollbackIndex,
  type ImageLabels,
  ROLLBACK_INDEX_LABEL,
  type RollbackIndexCheck,
  recordRollbackIndex,
} from "./rollback-index.ts";
export { keepsEtc, rootConfigurationOf } from "./root-configuration.ts";
export { sameArguments, sharesKernel } from "./soft-reboot/kernel-state.ts";
export { nextRootImage, resetNextRoot } from "./soft-reboot/next-root.ts";
export { prepareSoftReboot, refreshNextRoot, type SoftRebootMode, softReboot } from "./soft-reboot/prepare.ts";
export {
  type SourceOptions,
  type SourceOptionsOutcome,
  setOptionsForSource,
  sourceOptionsText,
} from "./source-options.ts";
export { type StatusDocument, statusDocument, statusJson, statusReference } from "./status-document.ts";
export { statusText } from "./status-text.ts";
export { mountUsrOverlay } from "./usr-overlay.ts";
