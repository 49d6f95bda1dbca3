/** From what a caller asked for to the machine that QEMU gets. */
import { join } from "node:path";
import { chooseAccelerator } from "./accelerator.ts";
import { AGENT_CREDENTIALS } from "./credentials.ts";
import { prepareFirmware } from "./firmware.ts";
import type { Machine } from "./machine.ts";
import { DEFAULT_CPUS, DEFAULT_MEMORY_MIB, type VirtualMachineOptions } from "./options.ts";
import { startTpm } from "./tpm.ts";

/**
 * Chooses the accelerator and makes the files and helpers that the machine needs in `directory`.
 *
 * @param agentSocketPath undefined for a machine without agent
 */
export async function assembleMachine(
  options: VirtualMachineOptions,
  directory: string,
  agentSocketPath: string | undefined,
): Promise<Machine> {
  const architecture = options.architecture ?? "amd64";
  const { tpmStateDirectory } = options;
  const hasTpm = options.tpm === true || tpmStateDirectory !== undefined;
  const tpm = hasTpm ? await startTpm(directory, tpmStateDirectory) : undefined;
  return {
    architecture,
    accelerator: await chooseAccelerator(architecture),
    memoryMiB: options.memoryMiB ?? DEFAULT_MEMORY_MIB,
    cpus: options.cpus ?? DEFAULT_CPUS,
    drives: options.drives,
    boot:
      options.directBoot ?? (await prepareFirmware(architecture, join(directory, "variables.fd"), options.secureBoot)),
    credentials: { ...(agentSocketPath === undefined ? {} : AGENT_CREDENTIALS), ...options.credentials },
    smbiosStrings: options.smbiosStrings ?? [],
    watchdog: options.watchdog ?? false,
    network: options.network ?? false,
    reboots: options.reboots ?? false,
    console: "captured",
    ...(agentSocketPath === undefined ? {} : { agentSocketPath }),
    ...(tpm === undefined ? {} : { tpmSocketPath: tpm.socketPath }),
  };
}
