/** QEMU's command line for the machine of spec/boot-chain.md C: a pure function of what the machine consists of. */
import type { ArchitectureName } from "../bootimage/index.ts";
import type { Accelerator } from "./accelerator.ts";
import { AGENT_PORT, smbiosArguments } from "./credentials.ts";
import type { FirmwareFiles } from "./firmware.ts";
import { HARDWARE } from "./hardware.ts";

/** A disk of the machine, from a raw image file. */
export interface Drive {
  readonly path: string;
  /**
   * `throw-away` (default): the guest may write, the file stays unchanged. `persist`: writes go into the file.
   * `read-only`: the guest cannot write.
   */
  readonly mode?: "throw-away" | "persist" | "read-only";
  /** `virtio` when absent. */
  readonly bus?: "virtio" | "nvme";
  /**
   * Every write and flush of the guest is recorded there as well, in the order they reach the disk, in the format of Linux'
   * dm-log-writes (QEMU's driver blklogwrites). The file exists; only with mode `persist`.
   */
  readonly writeLogPath?: string;
}

/** A kernel that QEMU loads itself, without firmware, boot loader or Secure Boot. */
export interface DirectBoot {
  readonly kernelPath: string;
  readonly initrdPath?: string;
  readonly commandLine: string;
}

/** Everything that determines the command line. Paths are absolute. */
export interface Machine {
  readonly architecture: ArchitectureName;
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly drives: readonly Drive[];
  readonly boot: DirectBoot | FirmwareFiles;
  /** Listening socket for the agent's port; without it the machine has no such port. */
  readonly agentSocketPath?: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly smbiosStrings: readonly string[];
  /** Control socket of a running swtpm; without it the machine has no TPM. */
  readonly tpmSocketPath?: string;
  /** A watchdog, an Intel 6300ESB, that resets the machine. */
  readonly watchdog: boolean;
  /** User-mode network (outgoing connections only). */
  readonly network: boolean;
  /** False: the machine ends when the guest reboots. */
  readonly reboots: boolean;
  /**
   * `captured`: the serial port on QEMU's standard output. Else on the user's terminal, with QEMU's escape key, and
   * copied into a file.
   */
  readonly console: "captured" | { readonly terminalLogPath: string };
}

/** QEMU's program for the machine. */
export function machineProgram({ architecture }: Machine): string {
  return HARDWARE[architecture].program;
}

/** The arguments of {@link machineProgram}. */
export function machineArguments(machine: Machine): readonly string[] {
  const hardware = HARDWARE[machine.architecture];
  return [
    ...hardware.board(machine.accelerator, "kernelPath" in machine.boot),
    ...["-smp", String(machine.cpus), "-m", String(machine.memoryMiB)],
    ...["-nodefaults", "-display", "none", ...(machine.reboots ? [] : ["-no-reboot"])],
    ...consoleArguments(machine.console),
    ...bootArguments(machine.boot, hardware.firmwareArguments),
    ...machine.drives.flatMap(driveArguments),
    ...(machine.network ? ["-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile="] : []),
    ...agentArguments(machine.agentSocketPath),
    ...tpmArguments(machine.tpmSocketPath, hardware.tpmDevice),
    ...(machine.watchdog ? ["-device", "i6300esb", "-action", "watchdog=reset"] : []),
    ...smbiosArguments(machine.credentials, machine.smbiosStrings),
  ];
}

/** `mon:stdio` spelt out, since only a character device of its own has a log (qemu(1), "-serial mon:" and "logfile"). */
function consoleArguments(console: Machine["console"]): readonly string[] {
  if (console === "captured") return ["-serial", "stdio"];
  const device = `stdio,id=console,mux=on,signal=off,logfile=${optionValue(console.terminalLogPath)}`;
  return ["-chardev", device, "-serial", "chardev:console", "-mon", "chardev=console"];
}

function bootArguments(boot: DirectBoot | FirmwareFiles, firmwareArguments: readonly string[]): readonly string[] {
  if ("kernelPath" in boot) {
    const initrd = boot.initrdPath === undefined ? [] : ["-initrd", boot.initrdPath];
    return ["-kernel", boot.kernelPath, ...initrd, "-append", boot.commandLine];
  }
  return [
    ...["-drive", `if=pflash,format=raw,unit=0,readonly=on,file=${optionValue(boot.codePath)}`],
    ...["-drive", `if=pflash,format=raw,unit=1,file=${optionValue(boot.variablesPath)}`],
    ...firmwareArguments,
  ];
}

const DRIVE_MODE = {
  // Discarded changes need not reach the disk: `unsafe` ignores the guest's flushes.
  "throw-away": "snapshot=on,cache=unsafe",
  persist: "cache=writeback",
  "read-only": "readonly=on,cache=unsafe",
} as const;

function driveArguments(drive: Drive, index: number): readonly string[] {
  const file = drive.writeLogPath === undefined ? plainFile(drive) : loggedFile(drive.path, drive.writeLogPath);
  if (drive.bus !== "nvme") return ["-drive", `if=virtio,${file}`];
  const id = `nvme${index}`;
  return ["-drive", `if=none,id=${id},${file}`, "-device", `nvme,drive=${id},serial=${id}`];
}

function plainFile({ mode = "throw-away", path }: Drive): string {
  return `format=raw,${DRIVE_MODE[mode]},file=${optionValue(path)}`;
}

/** The driver has the place of a format; the disk is bytes of the file below it. */
function loggedFile(path: string, logPath: string): string {
  const [file, log] = [optionValue(path), optionValue(logPath)];
  return `driver=blklogwrites,${DRIVE_MODE.persist},file.driver=file,file.filename=${file},log.driver=file,log.filename=${log}`;
}

function agentArguments(socketPath: string | undefined): readonly string[] {
  if (socketPath === undefined) return [];
  return [
    ...["-device", "virtio-serial-pci", "-chardev", `socket,id=agent,path=${optionValue(socketPath)}`],
    ...["-device", `virtserialport,chardev=agent,name=${AGENT_PORT}`],
  ];
}

function tpmArguments(socketPath: string | undefined, device: string): readonly string[] {
  if (socketPath === undefined) return [];
  return [
    ...["-chardev", `socket,id=tpm,path=${optionValue(socketPath)}`, "-tpmdev", "emulator,id=tpm0,chardev=tpm"],
    ...["-device", `${device},tpmdev=tpm0`],
  ];
}

/** A value inside QEMU's comma-separated options: a comma is written twice (qemu(1), "-drive"). */
function optionValue(text: string): string {
  return text.replaceAll(",", ",,");
}
