/** Hardware virtualisation or software emulation: decided by a trial, since /dev/kvm may exist but not work. */
import { existsSync } from "node:fs";
import { ARCHITECTURES, type ArchitectureName } from "../bootimage/index.ts";
import { type RunningTool, startTool } from "../platform/index.ts";

/** `kvm`: the host's processor runs the guest; `tcg`: QEMU translates its instructions. */
export type Accelerator = "kvm" | "tcg";

/** Time the trial machine gets to print its first line; with working KVM it needs 0.1 s. */
const TRIAL_TIMEOUT_MS = 5000;

/** I/O port on which SeaBIOS prints its messages (SeaBIOS documentation, "Debugging": `isa-debugcon,iobase=0x402`). */
const SEABIOS_DEBUG_PORT = "0x402";

const EMULATED = Promise.resolve<Accelerator>("tcg");

let choice: Promise<Accelerator> | undefined;

/**
 * The accelerator that works here. The trial runs once per process; further calls get its result. Only machines of this
 * host's own kind can be anything but emulated, and arm64 is always emulated: the trial is one of a PC.
 *
 * `/dev/kvm` only says that the kernel has KVM: if the machine is itself a guest, setting up the virtual processor can
 * still fail ("failed to set MSR"). So a machine is started, and KVM counts when its firmware has printed something.
 * The trial uses System Management Mode even if the actual machine does not: one hypervisor without it ran SeaBIOS and
 * then stopped in the kernel's decompressor ("emulation failure"), so its absence shows an incomplete KVM.
 * @throws SealrootError `missing-tool` when QEMU is not installed
 */
export function chooseAccelerator(architecture: ArchitectureName): Promise<Accelerator> {
  if (architecture !== "amd64" || process.arch !== ARCHITECTURES.amd64.node) return EMULATED;
  choice ??= existsSync("/dev/kvm") ? tryKvm() : Promise.resolve("tcg");
  return choice;
}

async function tryKvm(): Promise<Accelerator> {
  const machine = await startTool("qemu-system-x86_64", [
    ...["-machine", "q35,smm=on", "-accel", "kvm", "-cpu", "host", "-m", "64", "-nodefaults", "-display", "none"],
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
