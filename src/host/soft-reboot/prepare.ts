/** Changing to another deployment without starting the kernel anew (spec/host-lifecycle.md 8). */
import { join } from "node:path";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { runTool } from "../../platform/index.ts";
import { openRepository } from "../../repository/index.ts";
import type { Host } from "../host.ts";
import type { HostPlaces } from "../host-places.ts";
import { readHost } from "../read-host.ts";
import { nextRootImage, prepareNextRoot } from "./next-root.ts";
import { softRebootLine } from "./signed-line.ts";

/** `required`: a deployment that needs another kernel state is an error. `auto`: it takes a reboot. */
export type SoftRebootMode = "required" | "auto";

/**
 * Prepares the soft reboot into a deployment.
 *
 * @returns false, with `auto`, when only a reboot leads there
 * @throws SealrootError `conflict` for the booted deployment; `unsupported` with `required` for one that needs another
 *   kernel state; as softRebootLine and prepareNextRoot
 */
export async function prepareSoftReboot(
  places: HostPlaces,
  host: Host,
  deploymentId: string,
  mode: SoftRebootMode,
): Promise<boolean> {
  if (deploymentId === host.booted?.deploymentId) {
    throw new SealrootError("conflict", "Cannot soft-reboot to currently booted deployment");
  }
  const deployment = [host.staged, host.rollback, ...host.others].find((one) => one?.deploymentId === deploymentId);
  if (deployment === undefined) {
    throw new SealrootError("not-found", `Cannot soft-reboot: deployment ${deploymentId} is not in the menu`);
  }
  if (!deployment.softRebootCapable) {
    if (mode === "auto") return false;
    throw differentKernel();
  }
  const line = await softRebootLine(places, deployment);
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
  await prepareNextRoot(repository, deployment, line);
  return true;
}

/**
 * Assembles the next root anew when it is that of this deployment: its `/etc` has been replaced.
 * @throws SealrootError as prepareNextRoot
 */
export async function refreshNextRoot(places: HostPlaces, deploymentId: string): Promise<void> {
  if (nextRootImage() !== deploymentId) return;
  const host = await readHost(places);
  await prepareSoftReboot(places, host, deploymentId, "required");
}

/** Starts what was prepared. @throws SealrootError `missing-tool`, `failed` */
export async function softReboot(): Promise<void> {
  await runTool("systemd-run", ["--quiet", "--", "systemctl", "soft-reboot", "--message=Initiated by sealroot"]);
}

function differentKernel(): SealrootError {
  return new SealrootError("unsupported", "Cannot soft-reboot to deployment with a different kernel state", {
    hint: "its kernel or its kernel arguments differ: reboot, or use --soft-reboot=auto",
  });
}
