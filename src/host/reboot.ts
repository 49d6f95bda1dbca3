/** Restarting the host. */
import { runTool } from "../platform/index.ts";

/**
 * Reboots by systemd, as a transient unit: the caller's own session may end first.
 * @throws SealrootError `missing-tool`, `failed`
 */
export async function rebootHost(): Promise<void> {
  await runTool("systemd-run", ["--quiet", "--", "systemctl", "reboot", "--message=Initiated by sealroot"]);
}
