/** One run of the service that updates a host: what is due now is done, and written down. */
import { decideUpdate, type UpdateRecord, type UpdateSituation } from "./decision.ts";
import { runHooks } from "./hooks.ts";
import { readUpdateRecord, writeUpdateRecord } from "./record.ts";

/** What an update is, for hooks. */
export interface UpdateFacts {
  readonly imageReference: string;
  readonly manifestDigest: string;
}

export interface StagedUpdate extends UpdateFacts {
  /** The deployment that the next boot takes now, if the update was new; undefined if there was nothing to do. */
  readonly deploymentId: string | undefined;
}

/** What a run does to the host; a test gives its own. */
export interface UpdateActions {
  /**
   * Asks the registry and stages what is new.
   * @param beforeFetch is called once it is known that there is something new
   */
  update(beforeFetch: (facts: UpdateFacts) => Promise<void>): Promise<StagedUpdate>;
  /** Boots into the deployment that is staged. */
  apply(deploymentId: string): Promise<void>;
}

export interface UpdateRun {
  readonly situation: Omit<UpdateSituation, "record" | "isStaged">;
  /** Staged before the run, and not locked by --download-only. */
  readonly stagedDeploymentId: string | undefined;
  /** Conditions that do not hold, in words. */
  readonly unmet: readonly string[];
  readonly recordPath: string;
  readonly hookFolders: readonly string[];
  /** `none`: what would be done is said, and nothing else happens. */
  readonly actions: UpdateActions | "none";
  /** Told what is done and why, a line each. */
  readonly say: (line: string) => void;
}

/**
 * Decides and acts. The record is written before an error is thrown, so that the next try comes later.
 * @throws SealrootError what asking, staging or a hook says
 */
export async function runUpdates(run: UpdateRun): Promise<void> {
  const { situation, recordPath, actions, say } = run;
  const record = readUpdateRecord(recordPath);
  const { nowMs } = situation;
  const decision = decideUpdate({ ...situation, record, isStaged: run.stagedDeploymentId !== undefined });
  for (const reason of decision.reasons) say(`Not rebooting into the staged update: ${reason}`);
  if (!decision.check)
    say(`The next question to the registry is due at ${new Date(decision.nextCheckMs).toISOString()}`);
  let { stagedDeploymentId } = run;
  if (!decision.check && !(decision.apply && stagedDeploymentId !== undefined)) return;
  if (run.unmet.length > 0) {
    say(`Nothing is done on this host now: ${run.unmet.join(", ")}`);
    return;
  }
  let { heldDeploymentId } = record;
  if (actions === "none") {
    if (decision.check) say("The registry would be asked now");
    return;
  }
  if (decision.check) {
    const updated = await ask(run, actions, record);
    if (updated.deploymentId !== undefined) {
      stagedDeploymentId = updated.deploymentId;
      heldDeploymentId = updated.deploymentId;
      writeUpdateRecord(recordPath, { lastCheckMs: nowMs, failures: 0, heldDeploymentId });
      say(`Staged ${updated.imageReference}, deployment ${updated.deploymentId}`);
      await runHooks("after", hookEnvironment(updated, updated.deploymentId), run.hookFolders);
      heldDeploymentId = undefined;
    }
    writeUpdateRecord(recordPath, { lastCheckMs: nowMs, failures: 0, heldDeploymentId });
  }
  if (stagedDeploymentId === undefined || !decision.apply) return;
  if (stagedDeploymentId === heldDeploymentId) {
    say("Not rebooting into the staged update: an update hook has failed for it");
    return;
  }
  say("Rebooting into the staged update");
  await actions.apply(stagedDeploymentId);
}

async function ask(
  { situation, recordPath, hookFolders }: UpdateRun,
  actions: UpdateActions,
  record: UpdateRecord,
): Promise<StagedUpdate> {
  try {
    return await actions.update((facts) => runHooks("before", hookEnvironment(facts), hookFolders));
  } catch (error) {
    writeUpdateRecord(recordPath, { ...record, lastCheckMs: situation.nowMs, failures: record.failures + 1 });
    throw error;
  }
}

function hookEnvironment(facts: UpdateFacts, deploymentId?: string): Record<string, string> {
  return {
    SEALROOT_UPDATE_IMAGE: facts.imageReference,
    SEALROOT_UPDATE_DIGEST: facts.manifestDigest,
    ...(deploymentId !== undefined && { SEALROOT_UPDATE_DEPLOYMENT: deploymentId }),
  };
}
