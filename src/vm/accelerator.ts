/** Hardware virtualisation or software emulation: decided by a trial, since /dev/kvm may exist and still not work. */
import { existsSync } from "node:fs";
import { type RunningTool, startTool } from "../platform/index.ts";

/** `kvm`: the host's processor runs the guest; `tcg`: QEMU translates its instructions. */
export type Accelerator = "kvm" | "tcg";

/** Time the trial machine gets to print its first line; with working KVM it needs 0.1 s. */
const TRIAL_TIMEOUT_MS = 5000;

/** I/O port on which SeaBIOS prints its messages (SeaBIOS documentation, "Debugging": `isa-debugcon,iobase=0x402`). */
const SEABIOS_DEBUG_PORT = "0x402";

/** One for each setting of System Management Mode, which Secure Boot's firmware needs and a directly booted kernel does not. */
const choices = new Map<"on" | "off", Promise<Accelerator>>();

/**
 * The accelerator that works here for machines with or without System Management Mode. Each trial runs once a process;
 * further calls get its result.
 *
 * `/dev/kvm` only says that the kernel has KVM: where the machine is itself a guest, setting up the virtual processor
 * can still fail ("failed to set MSR"), or System Management Mode be missing. So a machine is started, and KVM counts
 * when its firmware has printed something.
 * @throws SealrootError `missing-tool` when QEMU is not installed
 */
export function chooseAccelerator(smm: "on" | "off"): Promise<Accelerator> {
  const known = choices.get(smm);
  if (known !== undefined) return known;
  const choice = existsSync("/dev/kvm") ? tryKvm(smm) : Promise.resolve("tcg" as const);
  choices.set(smm, choice);
  return choice;
}

async function tryKvm(smm: "on" | "off"): Promise<Accelerator> {
  const machine = await startTool("qemu-system-x86_64", [
    ...["-machine", `q35,smm=${smm}`, "-accel", "kvm", "-cpu", "host"],
    ...["-m", "64", "-nodefaults", "-display", "none"],
    ...["-chardev", "stdio,id=log", "-device", `isa-debugcon,iobase=${SEABIOS_DEBUG_PORT},chardev=log`],
  ]);
  try {
    return (await printsSomething(machine)) ? "kvm" : "tcg";
  } finally {
    machine.kill("SIGKILL");
    await machine.exited;
  }
}

function printsSomething(machine: RunningTool): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), TRIAL_TIMEOUT_MS);
    const decide = (works: boolean) => {
      clearTimeout(timer);
      resolve(works);
    };
    machine.stdout?.once("data", () => decide(true));
    machine.stderr?.resume();
    void machine.exited.then(() => decide(false));
  });
}
