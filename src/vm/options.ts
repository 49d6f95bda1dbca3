/** What a caller decides about a virtual machine, and the defaults. */
import type { ArchitectureName } from "../bootimage/index.ts";
import type { EnrolledKeys, OwnedCertificates } from "../keys/index.ts";
import type { DirectBoot, Drive } from "./machine.ts";

export interface VirtualMachineOptions {
  /** Of the machine; amd64 if absent. */
  readonly architecture?: ArchitectureName;
  /** The first one is the disk that the firmware boots. */
  readonly drives: readonly Drive[];
  /** Boots this kernel directly; without it the machine starts its UEFI firmware with Secure Boot support. */
  readonly directBoot?: DirectBoot;
  /**
   * Keys enrolled in the firmware: Secure Boot is on. Without them the firmware is in setup mode, where a boot loader may
   * enrol keys itself.
   */
  readonly secureBoot?: OwnedCertificates | EnrolledKeys;
  /** 1024 if absent. */
  readonly memoryMiB?: number;
  /** 2 if absent. */
  readonly cpus?: number;
  /** False leaves out the agent (and its systemd credentials): the guest is on its own. True if absent. */
  readonly agent?: boolean;
  /** Further SMBIOS type 11 strings, such as `io.systemd.stub.kernel-cmdline-extra=…`. */
  readonly smbiosStrings?: readonly string[];
  /** Further systemd credentials by name. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** A TPM 2.0 by swtpm with empty state; costs some 5 s of boot in emulation. */
  readonly tpm?: boolean;
  /** A TPM 2.0 that keeps its state in this directory, which is made, from one start to the next: what is bound to it stays so. */
  readonly tpmStateDirectory?: string;
  /** A watchdog that resets the machine when nobody serves it any more. */
  readonly watchdog?: boolean;
  /** Outgoing network connections. */
  readonly network?: boolean;
  /**
   * True: the machine keeps running when the guest reboots, and {@link VirtualMachine.waitForReady} can be called
   * again.
   */
  readonly reboots?: boolean;
  /** Receives console output as it arrives, for watching. */
  readonly onConsole?: (bytes: Uint8Array) => void;
}

export const DEFAULT_MEMORY_MIB = 1024;
export const DEFAULT_CPUS = 2;

/*
 * Limits against waiting forever. Under software emulation on a busy machine, a boot was seen to take seven times as
 * long as on an idle one.
 */

/** From start to the agent's report: 13 s under Secure Boot in emulation on an idle machine. */
export const READY_TIMEOUT_MS = 300_000;

/** One command, most of which take 0.1 to 0.3 s. */
export const COMMAND_TIMEOUT_MS = 120_000;

/** From start to a line on the console: refusals come within 8 s on an idle machine. */
export const CONSOLE_TIMEOUT_MS = 240_000;
