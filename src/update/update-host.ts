/** An upgrade or a switch from beginning to end, up to the reboot. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { originPath, readStagedRecord, withImage, writeStagedRecord } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { collectHost, type Host, type HostDeployment, type HostPlaces } from "../host/index.ts";
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
  { deploymentId, origin }: HostDeployment,
  standing: Standing,
  options: StageUpdateOptions,
): Promise<UpdateOutcome> {
  const followsNewReference =
    origin.imageReference !== target.imageReference && (standing === "booted" || standing === "staged");
  if (followsNewReference || (standing === "booted" && origin.manifestDigest !== manifestDigest)) {
    const path = join(places.physicalRoot, originPath(deploymentId));
    const text = withImage(readFileSync(path, "utf8"), { imageReference: target.imageReference, manifestDigest }, path);
    writeFileAtomically(path, text);
  }
  if (standing === "staged" && !options.downloadOnly) await applyDownloaded(places, options);
  return { result: "unchanged", standing, deploymentId, manifestDigest, followsNewReference };
}
