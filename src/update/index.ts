/**
 * update: another image for the running system: which one, what it will change, staged, and finalised at shutdown.
 *
 * Systems room above `host/`, which knows what the system has and what of it stays.
 * @module
 */
export { unmetConditions } from "./automatic/conditions.ts";
export { HOOK_FOLDERS } from "./automatic/hooks.ts";
export { runUpdates, type UpdateActions } from "./automatic/run-updates.ts";
export { RECORD_PATH as UPDATE_RECORD_PATH, readUpdateSettings, updateSituation } from "./automatic/this-host.ts";
export { type FinalizeOptions, type FinalizeOutcome, finalizeStaged } from "./finalize.ts";
export { type LayerChanges, type LayerSum, layersOf } from "./layers.ts";
export { machineOptions } from "./machine-options.ts";
export { type OpenedUpdate, type OpenUpdateOptions, openUpdate, type Standing } from "./open-update.ts";
export { planFetched } from "./plan/plan-fetched.ts";
export { planFromRegistry } from "./plan/plan-from-registry.ts";
export { planJson } from "./plan/plan-json.ts";
export { planText } from "./plan/plan-text.ts";
export type { PlanOptions } from "./plan/plan-update.ts";
export type { UpdatePlan } from "./plan/update-plan.ts";
export type { StageUpdateOptions } from "./stage-update.ts";
export { applyDownloaded, type UpdateOutcome, updateHost } from "./update-host.ts";
export { switchTarget, type UpdateTarget, type UpgradeChoice, upgradeTarget } from "./update-target.ts";
