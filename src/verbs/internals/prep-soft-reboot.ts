/** `sealroot internals prep-soft-reboot`, as scripts call bootc's. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { openWritableHost } from "../shared/writable-host.ts";

export const internalsPrepSoftReboot = command({
  description: `Prepares a soft reboot into a deployment, the staged one if none is named: its root is assembled at /run/nextroot, where
systemd looks for it. With --reset what is prepared is dropped.`,
  arguments: [{ name: "ID", summary: "of the deployment, or its first digits", optional: true }],
  options: [
    { flags: "--reboot", summary: "start it at once" },
    { flags: "--reset", summary: "drop what is prepared", excludes: ["reboot"] },
  ],
  examples: ["sealroot internals prep-soft-reboot", "sealroot internals prep-soft-reboot --reset"],
  async run(invocation) {
    const { deploymentByPrefix, prepareSoftReboot, readHost, resetNextRoot, softReboot, startFinalizer } = await import(
      "../../host/index.ts"
    );
    using opened = openWritableHost("prepare a soft reboot");
    if (invocation.flag("reset")) {
      const text = resetNextRoot() ? "Cleared soft reboot queued state" : "No deployment staged for soft rebooting";
      invocation.output.line(text);
      return;
    }
    const host = await readHost(opened.places);
    const given = invocation.optionalArgument("ID");
    const deploymentId = given === undefined ? host.staged?.deploymentId : deploymentByPrefix(host, given).deploymentId;
    if (deploymentId === undefined) {
      throw new SealrootError("not-found", "Cannot prepare a soft reboot: no deployment is staged", {
        hint: "name one: sealroot internals prep-soft-reboot ID",
      });
    }
    await startFinalizer();
    await prepareSoftReboot(opened.places, host, deploymentId, "required");
    invocation.output.line("Soft reboot setup complete");
    if (invocation.flag("reboot")) await softReboot();
  },
});
