/** `sealroot vm run DISK`. */
import { existsSync } from "node:fs";
import { SealrootError } from "../../errors/index.ts";
import { runStep } from "../../events/index.ts";
import type { VirtualMachineOptions } from "../../vm/index.ts";
import type { Command, Invocation } from "../command.ts";
import { parseCount, parseSize } from "../size.ts";

const BYTES_PER_MIB = 1024 * 1024;

const parseCpus = (text: string) => parseCount(text, "--cpus", 999);
const parseTimeout = (text: string) => parseCount(text, "--timeout", 86_400);

export const vmRun: Command = {
  description: `Boots a disk image in QEMU with UEFI firmware, its serial console on this
terminal. Leave with Ctrl-A X.

With --secure-boot-keys the certificates of the directory are enrolled and
Secure Boot is on; without it the firmware is in setup mode and the disk may
enrol its own keys.

The disk file stays as it is unless --persist is given.`,
  arguments: [{ name: "DISK", summary: "raw disk image" }],
  options: [
    { flags: "--secure-boot-keys <DIR>", summary: "enrol the certificates in DIR (PK, KEK, db)" },
    {
      flags: "--memory <SIZE>",
      summary: "memory of the machine (default: 1G)",
      check: (text) => void parseSize(text, "--memory"),
    },
    {
      flags: "--cpus <N>",
      summary: "processors of the machine (default: 2)",
      check: (text) => void parseCpus(text),
    },
    { flags: "--execute <COMMAND>", summary: "run a shell command in the booted system, print its output and stop" },
    {
      flags: "--timeout <SECONDS>",
      summary: "give up on the command after this time (default: 600)",
      check: (text) => void parseTimeout(text),
    },
    { flags: "--persist", summary: "write the guest's changes into the disk file" },
    { flags: "--network", summary: "allow outgoing network connections" },
    { flags: "--tpm", summary: "add a TPM 2.0 (swtpm)" },
  ],
  reportsJson: true,
  examples: [
    "sealroot vm run disk.img --secure-boot-keys keys",
    "sealroot vm run disk.img --secure-boot-keys keys --execute 'findmnt /'",
  ],
  async run(invocation) {
    const { checkBootDisk, runOnTerminal } = await import("../../vm/index.ts");
    const options = await machineOptions(invocation);
    await checkBootDisk(invocation.argument("DISK"));
    const command = invocation.option("execute");
    if (command !== undefined) return executeInGuest(options, command, invocation);
    if (invocation.json) throw new SealrootError("usage", "Cannot report as JSON: --json needs --execute");
    invocation.output.remark("Booting; leave the machine with Ctrl-A X");
    return runOnTerminal({ ...options, reboots: true });
  },
};

async function machineOptions(invocation: Invocation): Promise<VirtualMachineOptions> {
  const path = invocation.argument("DISK");
  if (!existsSync(path)) {
    throw new SealrootError("not-found", `Cannot boot ${path}: there is no such file`, { path });
  }
  const keys = invocation.option("secure-boot-keys");
  const memory = invocation.option("memory");
  const cpus = invocation.option("cpus");
  return {
    drives: [{ path, mode: invocation.flag("persist") ? "persist" : "throw-away" }],
    network: invocation.flag("network"),
    tpm: invocation.flag("tpm"),
    ...(keys === undefined ? {} : { secureBoot: (await import("../../keys/index.ts")).loadCertificates(keys) }),
    ...(memory === undefined ? {} : { memoryMiB: Math.ceil(parseSize(memory, "--memory") / BYTES_PER_MIB) }),
    ...(cpus === undefined ? {} : { cpus: parseCpus(cpus) }),
  };
}

/** Returns the command's exit code. */
async function executeInGuest(
  options: VirtualMachineOptions,
  command: string,
  invocation: Invocation,
): Promise<number> {
  const timeoutSeconds = parseTimeout(invocation.option("timeout") ?? "600");
  const { startVirtualMachine } = await import("../../vm/index.ts");
  const machine = await startVirtualMachine(options);
  try {
    await runStep(invocation.events, "boot the disk", () => machine.waitForReady());
    const result = await machine.run(command, timeoutSeconds * 1000);
    if (invocation.json) {
      const { exitCode, stdout, stderr } = result;
      invocation.output.json({ exitCode, stdout: stdout.toString(), stderr: stderr.toString() });
    } else {
      await invocation.output.bytes(result.stdout);
      if (result.stderr.length > 0) invocation.output.remark(result.stderr.toString().trimEnd());
    }
    // What is thrown away may be cut off; what is kept must reach the disk.
    if (invocation.flag("persist")) {
      await machine.run("systemctl poweroff --no-block");
      await machine.waitForExit();
    }
    return result.exitCode;
  } finally {
    await machine.stop();
  }
}
