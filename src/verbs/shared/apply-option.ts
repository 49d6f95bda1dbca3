/** Going on into another deployment at once: the same options for every verb that changes what the next boot takes. */
import type { HostPlaces } from "../../host/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const APPLY_OPTIONS = [
  { flags: "--apply", summary: "reboot into the new deployment" },
  {
    flags: "--soft-reboot <MODE>",
    summary: "prepare, with --apply do, a soft reboot: required, or auto, which reboots where that cannot be",
    choices: ["required", "auto"],
  },
] as const satisfies readonly OptionSpecification[];

/**
 * Does what the options say for the deployment that the next boot takes.
 * @throws SealrootError as prepareSoftReboot and rebootHost
 */
export async function applyDeployment(
  invocation: Invocation<typeof APPLY_OPTIONS>,
  places: HostPlaces,
  deploymentId: string,
): Promise<void> {
  const mode = invocation.option("soft-reboot");
  const isApplied = invocation.flag("apply");
  if (mode === undefined && !isApplied) return;
  const { prepareSoftReboot, readHost, rebootHost, softReboot, startFinalizer } = await import("../../host/index.ts");
  if (mode === undefined) return rebootHost();
  await startFinalizer();
  const host = await readHost(places);
  const isPrepared = await prepareSoftReboot(places, host, deploymentId, mode === "required" ? "required" : "auto");
  if (isPrepared) invocation.output.remark("Soft reboot setup complete");
  if (isApplied) await (isPrepared ? softReboot() : rebootHost());
}
