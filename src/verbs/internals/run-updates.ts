/** `sealroot internals run-updates`, called by sealroot-fetch-apply-updates.service. */

import { SealrootError } from "../../errors/index.ts";
import type { Host, HostPlaces, OpenedHost } from "../../host/index.ts";
import type { UpdateActions } from "../../update/index.ts";
import { type AnyInvocation, command } from "../shared/command.ts";

/** Another verb that changes the host may be at it. */
const LOCK_TIMEOUT_MS = 10 * 60_000;

export const internalsRunUpdates = command({
  description: `Does what is due by /etc/sealroot/updates.toml: asks the registry whether there is an update, stages it, reboots into it.
Without anything due it says when the next question is. sealroot-fetch-apply-updates.service calls it every ten
minutes.`,
  options: [{ flags: "--dry-run", summary: "say what would be done now, and do nothing" }] as const,
  examples: ["sealroot internals run-updates --dry-run"],
  async run(invocation) {
    const host = await import("../../host/index.ts");
    const update = await import("../../update/index.ts");
    using opened = host.openHost();
    if (opened === undefined) throw notDeployed();
    const { staged } = await host.readHost(opened.places);
    const settings = update.readUpdateSettings();
    const isDry = invocation.flag("dry-run");
    await update.runUpdates({
      situation: update.updateSituation(settings),
      stagedDeploymentId: staged === undefined || staged.downloadOnly ? undefined : staged.deploymentId,
      unmet: update.unmetConditions(settings.conditions),
      recordPath: update.UPDATE_RECORD_PATH,
      hookFolders: update.HOOK_FOLDERS,
      actions: isDry ? "none" : actions(invocation, settings.apply === "soft-reboot"),
      say: (line) => invocation.output.line(line),
    });
  },
});

function actions(invocation: Pick<AnyInvocation, "events">, softly: boolean): UpdateActions {
  return {
    async update(beforeFetch) {
      const host = await import("../../host/index.ts");
      const update = await import("../../update/index.ts");
      using opened = await writable();
      const { places } = opened;
      const state = await host.readHost(places);
      const target = update.upgradeTarget(state, { tag: undefined, source: undefined });
      const { events } = invocation;
      await using opening = await update.openUpdate(places, state, target, { policy: { enforced: false }, events });
      const facts = { imageReference: target.imageReference, manifestDigest: opening.manifestDigest };
      if (opening.standing !== "new") return { ...facts, deploymentId: undefined };
      await beforeFetch(facts);
      const outcome = await update.updateHost(places, state, opening, {
        ...update.machineOptions(),
        ...{ downloadOnly: false, etc: "abort", allowDowngrade: false, retryFailed: false, events },
        allowMissingVerity: state.booted?.missingVerityAllowed ?? false,
      });
      return { ...facts, deploymentId: outcome.result === "staged" ? outcome.deploymentId : undefined };
    },
    async apply(deploymentId) {
      const host = await import("../../host/index.ts");
      if (!softly) return host.rebootHost();
      using opened = await writable();
      const isPrepared = await prepareSoftly(opened.places, await host.readHost(opened.places), deploymentId);
      await (isPrepared ? host.softReboot() : host.rebootHost());
    },
  };
}

async function prepareSoftly(places: HostPlaces, state: Host, deploymentId: string): Promise<boolean> {
  const { prepareSoftReboot, startFinalizer } = await import("../../host/index.ts");
  await startFinalizer();
  return prepareSoftReboot(places, state, deploymentId, "auto");
}

async function writable(): Promise<OpenedHost> {
  const { openHostWhenFree } = await import("../../host/index.ts");
  const opened = await openHostWhenFree(LOCK_TIMEOUT_MS);
  if (opened === undefined) throw notDeployed();
  return opened;
}

function notDeployed(): SealrootError {
  return new SealrootError("unsupported", "Cannot update: this system is not deployed via bootc");
}
