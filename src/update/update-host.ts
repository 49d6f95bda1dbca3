/** An upgrade or a switch from beginning to end, up to the reboot. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type AddonNames, NO_ADDONS } from "../bootimage/index.ts";
import { originPath, readStagedRecord, withImage, writeStagedRecord } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { runStep } from "../events/index.ts";
import {
  type AddedAddon,
  addAddons,
  collectHost,
  type Host,
  type HostDeployment,
  type HostPlaces,
  planAddons,
} from "../host/index.ts";
import { writeFileAtomically } from "../platform/index.ts";
import { type OpenedUpdate, type Standing, standingOf } from "./open-update.ts";
import { refuseFailed, type StageUpdateOptions, stageUpdate } from "./stage-update.ts";

/** What came of it. */
export interface UpdateOutcome {
  /**
   * `staged`: for the next boot. `downloaded`: staged, and taken only when told. `unchanged`: the host has the image, as
   * `standing` says.
   */
  readonly result: "staged" | "downloaded" | "unchanged";
  /** What the image was before. */
  readonly standing: Standing;
  readonly deploymentId: string;
  readonly manifestDigest: string;
  /** True when the host follows another reference from now on and nothing else changed. */
  readonly followsNewReference: boolean;
  /** Add-ons that were named, of an image that the host has already; of a new one they are part of what is staged. */
  readonly addons?: readonly AddedAddon[];
}

/**
 * Makes the image the next deployment of the host, unless it has it already; then only the name that the host follows
 * may change.
 *
 * @throws SealrootError as stageUpdate
 */
export async function updateHost(
  places: HostPlaces,
  host: Host,
  update: OpenedUpdate,
  options: StageUpdateOptions,
): Promise<UpdateOutcome> {
  const { manifestDigest, target } = update;
  // Known by the manifest alone, it is refused before anything is fetched.
  const isRetried = refuseFailed(host, { deploymentId: "", manifestDigest }, target, options.retryFailed);
  const known = deploymentOf(host, update.standing, ({ origin }) => origin.manifestDigest === manifestDigest);
  if (known !== undefined && !isRetried) return keepDeployment(places, update, known, update.standing, options);
  const { deploymentId, standing } = await stageUpdate(places, host, update, options);
  const same = deploymentOf(host, standing, (deployment) => deployment.deploymentId === deploymentId);
  if (same !== undefined) return keepDeployment(places, update, same, standing, options);
  await collectLeftovers(places, options);
  const result = options.downloadOnly ? "downloaded" : "staged";
  return { result, standing, deploymentId, manifestDigest, followsNewReference: false };
}

/** A pull that is under way elsewhere is not waited for long: what stays is removed another time. */
const GC_LOCK_TIMEOUT_MS = 10_000;

/** What earlier updates left; the staged one is in use. That something could not be removed is no failure of this one. */
async function collectLeftovers(places: HostPlaces, { events, preparedImage }: StageUpdateOptions): Promise<void> {
  const lockTimeoutMs = GC_LOCK_TIMEOUT_MS;
  const options = { dryRun: false, scope: "all", lockTimeoutMs, preparedImage, events } as const;
  const { problems } = await collectHost(places, options);
  for (const { subject, error } of problems) {
    events({ type: "message", level: "warning", text: `${subject}: ${error.message}` });
  }
}

/**
 * Lets the next boot take what was only fetched.
 *
 * @returns false when it is to be taken already
 * @throws SealrootError `not-found` when nothing is staged
 */
export async function applyDownloaded(
  { runDirectory }: HostPlaces,
  { startFinalizer }: Pick<StageUpdateOptions, "startFinalizer">,
): Promise<boolean> {
  const record = readStagedRecord(runDirectory);
  if (record === undefined) {
    throw new SealrootError("not-found", "Cannot apply what was downloaded: no deployment is staged", {
      hint: "fetch one: sealroot upgrade --download-only",
    });
  }
  if (!record.downloadOnly) return false;
  await startFinalizer();
  writeStagedRecord(runDirectory, { ...record, downloadOnly: false });
  return true;
}

function deploymentOf(
  host: Host,
  standing: Standing,
  fits: (deployment: HostDeployment) => boolean,
): HostDeployment | undefined {
  if (standing === "new" || standingOf(host, fits) !== standing) return undefined;
  return [host.booted, host.staged, host.rollback, ...host.others].find((one) => one !== undefined && fits(one));
}

/** The deployment is there; only what it is called may be new, and a staged one that was only fetched may be wanted now. */
async function keepDeployment(
  places: HostPlaces,
  { target, manifestDigest }: OpenedUpdate,
  known: HostDeployment,
  standing: Standing,
  options: StageUpdateOptions,
): Promise<UpdateOutcome> {
  const { deploymentId, origin } = known;
  // The booted one gets what the image has that it is named after from now on.
  const named = standing === "booted" ? { ...known, origin: { ...origin, manifestDigest } } : known;
  const addons = await addToKnown(places, { known: named, standing }, options);
  const followsNewReference =
    origin.imageReference !== target.imageReference && (standing === "booted" || standing === "staged");
  if (followsNewReference || (standing === "booted" && origin.manifestDigest !== manifestDigest)) {
    const path = join(places.physicalRoot, originPath(deploymentId));
    const text = withImage(readFileSync(path, "utf8"), { imageReference: target.imageReference, manifestDigest }, path);
    writeFileAtomically(path, text);
  }
  if (standing === "staged" && !options.downloadOnly) await applyDownloaded(places, options);
  const outcome = { result: "unchanged", standing, deploymentId, manifestDigest, followsNewReference } as const;
  return addons.length === 0 ? outcome : { ...outcome, addons };
}

/** Add-ons that were asked for are not passed over because the image is there already. */
async function addToKnown(
  places: HostPlaces,
  { known, standing }: { readonly known: HostDeployment; readonly standing: Standing },
  { addons = NO_ADDONS, firmware, events }: StageUpdateOptions,
): Promise<AddedAddon[]> {
  const [name] = [...addons.scoped, ...addons.global];
  if (name === undefined) return [];
  if (standing !== "booted" && standing !== "staged") throw notNext(name, standing);
  return runStep(events, "add the add-ons", async (reporter) => {
    const options = { firmware, reporter };
    if (standing === "booted") return addAddons(places, known, addons, options);
    // Nothing of it is added when one of them cannot be.
    const planned = await planAddons(places, known, addons, options);
    await addAddons(places, known, { scoped: addons.scoped, global: [] }, options);
    rememberGlobal(places, addons);
    return planned.map(({ file: _, ...added }) => added);
  });
}

/** They are written when the host is switched to what is staged. */
function rememberGlobal({ runDirectory }: HostPlaces, { global }: AddonNames): void {
  const record = readStagedRecord(runDirectory);
  if (record === undefined || global.length === 0) return;
  writeStagedRecord(runDirectory, { ...record, globalAddons: [...new Set([...record.globalAddons, ...global])] });
}

function notNext(name: string, standing: Standing): SealrootError {
  const which = standing === "rollback" ? "the rollback deployment" : "one of the other deployments";
  const what = `Cannot add the add-on ${name}: the image is that of ${which}, which is not booted next`;
  return new SealrootError("conflict", what, {
    hint: "boot it, then: sealroot uki-addon add NAME scoped",
  });
}
