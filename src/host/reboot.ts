/** Restarting the host, and the unit that finalises what is staged when it goes down. */
import { runTool } from "../platform/index.ts";

/** The unit whose stop, at shutdown, calls `sealroot composefs-finalize-staged` (systemd/). */
const FINALIZE_UNIT = "sealroot-finalize-staged.service";

/**
 * Reboots by systemd, as a transient unit: the caller's own session may end first.
 * @throws SealrootError `missing-tool`, `failed`
 */
export async function rebootHost(): Promise<void> {
  await runTool("systemd-run", ["--quiet", "--", "systemctl", "reboot", "--message=Initiated by sealroot"]);
}

/**
 * Starts the unit whose stop finalises the staged deployment.
 * @throws SealrootError `missing-tool`, `failed`
 */
export async function startFinalizer(): Promise<void> {
  await runTool("systemctl", ["start", "--quiet", FINALIZE_UNIT]);
}
