/**
 * host: the running system: which deployments it has, which one runs, which one comes next.
 *
 * Systems room: puts together what `bootloader/`, `deployment/` and `imagestore/` each know. All of it takes the host's
 * places as a value (HostPlaces), so that a folder can stand for a host; open-host.ts alone looks at the machine.
 * @module
 */
export { unmetConditions } from "./automatic/conditions.ts";
export { HOOK_FOLDERS } from "./automatic/hooks.ts";
export { runUpdates, type UpdateActions } from "./automatic/run-updates.ts";
export { RECORD_PATH as UPDATE_RECORD_PATH, readUpdateSettings, updateSituation } from "./automatic/this-host.ts";
export { type BootedRoot, readBootedRoot, readUsrOverlay, type UsrOverlay } from "./booted-root.ts";
export * from "./boots/index.ts";
export { type CollectHostOptions, collectHost, type HostCollection, isNoOp } from "./collect/collect-host.ts";
export { collectionJson, collectionLines } from "./collect/collection-text.ts";
export { configDiff } from "./config-diff.ts";
export { type DeletedDeployment, deleteDeployment, deletedText } from "./delete-deployment.ts";
export { DEFAULT_RETENTION, entriesAfterUpgrade, menuFiles, type Retention } from "./entry-order.ts";
export { deploymentByPrefix, type NamedDeployment } from "./find-deployment.ts";
export { firmwareDatabases, loaderVariable } from "./firmware.ts";
export type { DeploymentImage, Host, HostDeployment, HostProblem } from "./host.ts";
export { HOST_CONFIGURATION_PATH, readRetention } from "./host-configuration.ts";
export type { BootLoaderName, HostPlaces } from "./host-places.ts";
export { type MountedHostOptions, openMountedHost } from "./mounted-host.ts";
export { bootLoaderName, type OpenedHost, type OpenHostOptions, openHost, openHostWhenFree } from "./open-host.ts";
export { type Pinned, pinText, setPinned } from "./pin.ts";
export { planFetched } from "./plan/plan-fetched.ts";
export { planFromRegistry } from "./plan/plan-from-registry.ts";
export { planJson } from "./plan/plan-json.ts";
export { planText } from "./plan/plan-text.ts";
export type { PlanOptions } from "./plan/plan-update.ts";
export type { UpdatePlan } from "./plan/update-plan.ts";
export { readHost } from "./read-host.ts";
export { rebootHost, startFinalizer } from "./reboot.ts";
export { type CheckedCounts, checkHost, type HostCheck } from "./repair/check-host.ts";
export { type Fault, faultText } from "./repair/fault.ts";
export { type HostRepair, repairHost } from "./repair/repair-host.ts";
export { checkJson, checkText, type ReportText, repairJson, repairText } from "./repair/repair-report.ts";
export { type RolledBack, rollback, rollbackLines } from "./rollback.ts";
export {
  checkRollbackIndex,
  type ImageLabels,
  ROLLBACK_INDEX_LABEL,
  type RollbackIndexCheck,
  recordRollbackIndex,
} from "./rollback-index.ts";
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
export { type FinalizeOptions, type FinalizeOutcome, finalizeStaged } from "./update/finalize.ts";
export { type LayerChanges, type LayerSum, layersOf } from "./update/layers.ts";
export { machineOptions } from "./update/machine-options.ts";
export { type OpenedUpdate, type OpenUpdateOptions, openUpdate, type Standing } from "./update/open-update.ts";
export type { StageUpdateOptions } from "./update/stage-update.ts";
export { applyDownloaded, type UpdateOutcome, updateHost } from "./update/update-host.ts";
export { switchTarget, type UpdateTarget, type UpgradeChoice, upgradeTarget } from "./update/update-target.ts";
export { mountUsrOverlay } from "./usr-overlay.ts";
