/** `sealroot internals health-check`, called by its unit in a system that is tried for the first times. */
import { command } from "../shared/command.ts";

export const internalsHealthCheck = command({
  description: `Runs the health checks: the executable files of /usr/lib/sealroot/health.d and /etc/sealroot/health.d, by name; a name in
/etc replaces that in /usr, and masks it as a link to /dev/null. Each has two minutes, all have five. Ends with 1 when one failed.

sealroot-health.service calls it before boot-complete.target in a boot whose tries are counted. By hand it changes nothing.`,
  examples: ["sealroot internals health-check"],
  async run(invocation) {
    const host = await import("../../host/index.ts");
    const { bootId, imageId, tries } = bootOf(host);
    const failed = await host.runHealthChecks({
      directories: host.HEALTH_DIRECTORIES,
      environment: {
        SEALROOT_DEPLOYMENT: imageId,
        SEALROOT_BOOT_ID: bootId,
        SEALROOT_TRY: tries,
      },
      checkLimitMs: host.CHECK_LIMIT_MS,
      totalLimitMs: host.CHECKS_LIMIT_MS,
      events: invocation.events,
    });
    if (process.env.INVOCATION_ID !== undefined) host.writeHealthReport("/run", failed);
    for (const { name, reason } of failed) invocation.output.line(`Failed ${name}: ${reason}`);
    return failed.length === 0 ? 0 : 1;
  },
});

/** What the checks are told; a value is empty where there is none. */
function bootOf({ currentBoot, readBootedRoot }: typeof import("../../host/index.ts")) {
  const { bootId, tries } = currentBoot();
  return { bootId, imageId: readBootedRoot()?.imageId ?? "", tries: tries === undefined ? "" : String(tries) };
}
