/** `sealroot rollback` */
import { APPLY_OPTIONS, applyDeployment } from "../shared/apply-option.ts";
import { command } from "../shared/command.ts";
import { openWritableHost } from "../shared/writable-host.ts";

export const rollback = command({
  description: `Makes the previous deployment the one that the next boot takes, or the booted one again when a rollback is queued
already: called twice, it changes nothing. With ID, that deployment. Every deployment has its own /etc: changes that were
made after leaving the other one are not in it. /var is shared.

An update that is staged is dropped.`,
  arguments: [{ name: "ID", summary: "the deployment to take, or the first digits of its id", optional: true }],
  options: APPLY_OPTIONS,
  examples: ["sealroot rollback", "sealroot rollback --apply", "sealroot rollback 3f81c2"],
  reportsJson: true,
  async run(invocation) {
    const {
      deploymentByPrefix,
      readHost,
      rollback: queueRollback,
      rollbackLines,
    } = await import("../../host/index.ts");
    using opened = openWritableHost("roll back");
    const { places } = opened;
    const given = invocation.optionalArgument("ID");
    const wanted = given === undefined ? undefined : deploymentByPrefix(await readHost(places), given);
    const outcome = await queueRollback(places, wanted?.deploymentId);
    const { deploymentId, droppedId, isBooted, reverted } = outcome;
    if (invocation.json) invocation.output.json({ deploymentId, isBooted, reverted, dropped: droppedId ?? null });
    else for (const line of rollbackLines(outcome)) invocation.output.line(line);
    await applyDeployment(invocation, places, deploymentId);
  },
});
