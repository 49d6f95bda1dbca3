/** `sealroot rollback` */
import type { RolledBack } from "../host/index.ts";
import { command } from "./shared/command.ts";
import { openWritableHost } from "./shared/writable-host.ts";

export const rollback = command({
  description: `Makes the previous deployment the one that the next boot takes, or the booted one again when a rollback is queued
already: called twice, it changes nothing. With ID, that deployment. Every deployment has its own /etc: changes that were
made after leaving the other one are not in it. /var is shared.

An update that is staged is dropped.`,
  arguments: [{ name: "ID", summary: "the deployment to take, or the first digits of its id", optional: true }],
  options: [{ flags: "--apply", summary: "reboot into it" }],
  examples: ["sealroot rollback", "sealroot rollback --apply", "sealroot rollback 3f81c2"],
  reportsJson: true,
  async run(invocation) {
    const { rebootHost, rollbackLines } = await import("../host/index.ts");
    const outcome = await rollBack(invocation.optionalArgument("ID"));
    const { deploymentId, droppedId, isBooted, reverted } = outcome;
    if (invocation.json) invocation.output.json({ deploymentId, isBooted, reverted, dropped: droppedId ?? null });
    else for (const line of rollbackLines(outcome)) invocation.output.line(line);
    if (invocation.flag("apply")) await rebootHost();
  },
});

/** The host is let go of before a reboot. */
async function rollBack(given: string | undefined): Promise<RolledBack> {
  const { deploymentByPrefix, readHost, rollback: queueRollback } = await import("../host/index.ts");
  using opened = openWritableHost("roll back");
  const wanted = given === undefined ? undefined : deploymentByPrefix(await readHost(opened.places), given);
  return queueRollback(opened.places, wanted?.deploymentId);
}
