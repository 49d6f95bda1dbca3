/** A software TPM 2.0 for one machine (swtpm(8)), spec/boot-chain.md F. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SealrootError } from "../errors/index.ts";
import { startTool } from "../platform/index.ts";

/** swtpm makes its socket within about 50 ms. */
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/**
 * Starts an emulator. It ends by itself when QEMU closes the connection.
 *
 * @param stateDirectory keeps its state; an empty one if absent
 * @throws SealrootError `missing-tool`, or `failed` when it does not start
 */
export async function startTpm(
  directory: string,
  stateDirectory = join(directory, "tpm"),
): Promise<{ readonly socketPath: string }> {
  const socketPath = join(directory, "tpm.socket");
  await mkdir(stateDirectory, { recursive: true });
  const emulator = await startTool("swtpm", [
    ...["socket", "--tpm2", "--terminate", "--tpmstate", `dir=${stateDirectory}`],
    ...["--ctrl", `type=unixio,path=${socketPath}`],
  ]);
  emulator.stdout?.resume();
  emulator.stderr?.resume();
  let ended = false;
  void emulator.exited.then(() => {
    ended = true;
  });
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!existsSync(socketPath)) {
    if (ended || performance.now() > deadlineMs) {
      emulator.kill("SIGKILL");
      throw new SealrootError("failed", "Cannot start the software TPM: swtpm has not made its socket");
    }
    await delay(POLL_MS);
  }
  return { socketPath };
}
