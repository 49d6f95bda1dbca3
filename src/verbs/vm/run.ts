/** `sealroot vm run DISK`. */
import { resolve } from "node:path";
import { SealrootError } from "../../errors/index.ts";
import { runStep } from "../../events/index.ts";
import type { VirtualMachineOptions } from "../../vm/index.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { parseCount, parseSize } from "../shared/size.ts";

const BYTES_PER_MIB = 1024 * 1024;
const EXECUTE_TIMEOUT_MS = 600_000;

/**
 * Firmware, kernel and initramfs are in memory together: the Debian example boots with 192 MiB; with 128 its UKI is not
 * loaded.
 */
const MEMORY_MIN_MIB = 192;

const parseCpus = (text: string) => parseCount(text, "--cpus", 999);
const parseTimeout = (text: string) => parseCount(text, "--timeout", 86_400);

const ARGUMENTS = [{ name: "DISK", summary: "raw disk image" }] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  { flags: "--secure-boot-keys <DIR>", summary: "enrol the keys in DIR (PK, KEK, db, dbx)" },
  {
    flags: "--memory <SIZE>",
    summary: "memory of the machine (default: 1G)",
    check: (text) => void parseMemoryMib(text),
  },
  {
    flags: "--cpus <N>",
    summary: "processors of the machine (default: 2)",
    check: (text) => void parseCpus(text),
  },
  { flags: "--execute <COMMAND>", summary: "run a shell command in the booted system, print its output and stop" },
  {
    flags: "--timeout <SECONDS>",
    summary: "end the machine after this time, boot included (default with --execute: 600)",
    check: (text) => void parseTimeout(text),
  },
  { flags: "--persist", summary: "write the guest's changes into the disk file" },
  { flags: "--network", summary: "allow outgoing network connections" },
  { flags: "--tpm", summary: "add a TPM 2.0 (swtpm)" },
  {
    flags: "--tpm-state <DIR>",
    summary: "add one that keeps its state there, as an encrypted disk needs (with --persist)",
  },
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

export const vmRun = command({
  description: `Boots a disk image in QEMU with UEFI firmware, its serial console on this
terminal. Leave with Ctrl-A X.

With --secure-boot-keys the keys of the directory are enrolled, revocations
too, and Secure Boot is on; without it the firmware is in setup mode and the disk may
enrol its own keys.

A boot refused by the firmware (Access Denied) or the system's boot program ends at once with the reason.

The disk file stays unchanged unless --persist is given. A disk for arm64 boots in an emulated arm64 machine.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot vm run disk.img --secure-boot-keys keys",
    "sealroot vm run disk.img --secure-boot-keys keys --execute 'findmnt /'",
  ],
  async run(invocation) {
    const command = invocation.option("execute");
    const timeout = invocation.option("timeout");
    const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout) * 1000;
    if (command === undefined && invocation.json)
      throw new SealrootError("usage", "Cannot report as JSON: --json needs --execute");
    const { checkBootDisk, runOnTerminal } = await import("../../vm/index.ts");
    const wanted = await machineOptions(invocation);
    const options = { ...wanted, architecture: await checkBootDisk(invocation.argument("DISK")) };
    if (command !== undefined) return executeInGuest(options, command, timeoutMs ?? EXECUTE_TIMEOUT_MS, invocation);
    invocation.output.remark("Booting; leave the machine with Ctrl-A X");
    return runOnTerminal(options, timeoutMs);
  },
});

async function machineOptions(invocation: Call): Promise<VirtualMachineOptions> {
  const keys = invocation.option("secure-boot-keys");
  const memory = invocation.option("memory");
  const cpus = invocation.option("cpus");
  const tpmState = invocation.option("tpm-state");
  return {
    drives: [{ path: invocation.argument("DISK"), mode: invocation.flag("persist") ? "persist" : "throw-away" }],
    network: invocation.flag("network"),
    tpm: invocation.flag("tpm"),
    ...(tpmState === undefined ? {} : { tpmStateDirectory: resolve(tpmState) }),
    // A disk may enrol its keys and reset the machine before the system starts.
    reboots: true,
    ...(keys === undefined ? {} : { secureBoot: (await import("../../keys/index.ts")).loadEnrolledKeys(keys) }),
    ...(memory === undefined ? {} : { memoryMiB: parseMemoryMib(memory) }),
    ...(cpus === undefined ? {} : { cpus: parseCpus(cpus) }),
  };
}

/** @throws SealrootError `usage` for what is not a size, or too little */
function parseMemoryMib(text: string): number {
  const memoryMib = Math.ceil(parseSize(text, "--memory") / BYTES_PER_MIB);
  if (memoryMib >= MEMORY_MIN_MIB) return memoryMib;
  throw new SealrootError("usage", `Cannot start the machine with --memory ${text}: that is not enough to boot`, {
    expected: `at least ${MEMORY_MIN_MIB} MiB`,
    hint: "a number without a suffix is bytes: write 1G or 512M",
  });
}

/** Returns the command's exit code. */
async function executeInGuest(
  options: VirtualMachineOptions,
  command: string,
  timeoutMs: number,
  invocation: Call,
): Promise<number> {
  const { lastConsoleLine, startVirtualMachine } = await import("../../vm/index.ts");
  const endMs = performance.now() + timeoutMs;
  // A wait that begins after the deadline fails at once.
  const leftMs = () => Math.max(1, endMs - performance.now());
  let report: (line: string) => void = () => {};
  const machine = await startVirtualMachine({ ...options, onConsole: lastConsoleLine((line) => report(line)) });
  try {
    await runStep(invocation.events, "boot the disk", (step) => {
      report = step.status;
      return machine.waitForReady(leftMs(), { endsWhenRefused: true });
    });
    const result = await runStep(invocation.events, "run the command", (step) => {
      report = step.status;
      return machine.run(command, leftMs());
    });
    if (invocation.json) {
      const { exitCode, stdout, stderr } = result;
      invocation.output.json({ exitCode, stdout: stdout.toString(), stderr: stderr.toString() });
    } else {
      await invocation.output.bytes(result.stdout);
      if (result.stderr.length > 0) invocation.output.remark(result.stderr.toString().trimEnd());
    }
    // Discarded changes may be cut off; persistent ones must reach the disk.
    if (invocation.flag("persist")) {
      await runStep(invocation.events, "switch the machine off", async () => {
        await machine.run("systemctl poweroff --no-block", leftMs());
        await machine.waitForExit(leftMs());
      });
    }
    return result.exitCode;
  } finally {
    await machine.stop();
  }
}
