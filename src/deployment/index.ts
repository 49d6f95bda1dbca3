/**
 * deployment: staging, and what a deployment leaves on the physical root: its state directory, its origin file, and
 * their names.
 *
 * Store room: knows spec/host.md 1.2 and 1.3; pulls into a repository through `imagestore/`; knows nothing of disks and
 * boot loaders.
 * @module
 */

export {
  type DeploymentListing,
  listDeployments,
  readDeployment,
  setBootDigest,
  setDeploymentPinned,
  type UnusableDeployment,
} from "./deployment-list.ts";
export { type EtcConflict, type EtcDiff, etcConflictText, refuseEtcConflicts } from "./etc-diff.ts";
export { type EtcMergeOptions, type EtcPolicy, mergeEtc, writeEtc } from "./etc-merge.ts";
export { mergeEtcTrees } from "./etc-result.ts";
export { etcOfImage } from "./etc-tree.ts";
export { type LegacyImageInfo, readLegacyImageInfo } from "./image-info.ts";
export { isRegistryReference, targetReference } from "./image-reference.ts";
export { type InitialStateOptions, initialState } from "./initial-state.ts";
export { type EtcScanOptions, etcDiffOf, type ScannedEtc } from "./live-etc.ts";
export { formatOrigin, type Origin, parseOrigin, withImage } from "./origin.ts";
export {
  imagePathOf,
  isDeploymentId,
  originPath,
  REPOSITORY_PATH,
  SHARED_VAR,
  stateDirectory,
  VAR_LINK_TARGET,
} from "./paths.ts";
export { PROTECTION_TEXT, type Protection, type ProtectionFacts, protectionOf } from "./protection.ts";
export { type DeploymentRecord, recordOfType1, recordOfUki } from "./record.ts";
export { readStagedRecord, removeStagedRecord, type StagedRecord, writeStagedRecord } from "./staged-record.ts";
export {
  hostTag,
  type SealedDeployment,
  type StagedDeployment,
  stageDeployment,
  type Type1Deployment,
} from "./staging.ts";
export { type StateXattrs, stateXattrs, UNSHOWN_XATTRS } from "./state-xattrs.ts";
