/**
 * A boot whose tries the boot loader counts. It must not end in a machine that waits: a panic restarts, a hang does so where
 * the image has a watchdog. And it leaves behind how far it came.
 */
import { CommandLine } from "../src/bls/command-line.ts";
import {
  BOOT_REPORT_VENDOR,
  BOOT_SLOTS_PATH,
  type BootReport,
  type BootStage,
  bootReportVariable,
  bootSlotName,
  countedEntry,
  formatBootReport,
  formatBootReportVariable,
} from "../src/bootplan/boot-report.ts";
import { decideFailure } from "../src/bootplan/failure.ts";
import { BOOT_PLACES } from "../src/bootplan/mount-plan.ts";
import { reasonOf, SealrootError } from "../src/errors/index.ts";
import { createVariable, readLoaderVariable } from "./efi-variables.ts";
import { loadKernelModules } from "./kernel-modules.ts";
import { type BootSystem, readText } from "./system.ts";

/** A directory, so that units of the booted system can ask for it: falling back makes sense. */
const FALL_BACK = "/run/sealroot/fall-back";
/** kernel.panic: seconds until a panic restarts the machine (Linux Documentation/admin-guide/sysctl/kernel.rst). */
const PANIC_SECONDS = "10";
const WATCHDOG = "/dev/watchdog0";

export class CountedBoot {
  readonly #system: BootSystem;
  readonly #entry: Pick<BootReport, "entry" | "tries"> | undefined;
  readonly #bootId: string;
  #deploymentId: string | undefined;
  /** Path of the open slot. */
  #slot: string | undefined;

  private constructor(system: BootSystem, loaderBootCountPath: string | undefined) {
    this.#system = system;
    this.#entry = loaderBootCountPath === undefined ? undefined : countedEntry(loaderBootCountPath);
    this.#bootId = (readText(system, "/proc/sys/kernel/random/boot_id") ?? "").trim().replaceAll("-", "");
  }

  /** Reads what the boot loader says, and prepares the machine if it counts. Every other method then does nothing. */
  static begin(system: BootSystem): CountedBoot {
    const path = readLoaderVariable(system, "LoaderBootCountPath");
    const boot = new CountedBoot(system, path);
    if (decideFailure(path).action !== "reboot") return boot;
    system.makeDirectory(FALL_BACK, 0o755);
    system.writeText("/proc/sys/kernel/panic", PANIC_SECONDS);
    if (asksForWatchdog(readText(system, "/proc/cmdline") ?? "")) armWatchdog(system);
    return boot;
  }

  /** Whether a boot that fails leads to another system, by itself. */
  get canFallBack(): boolean {
    return decideFailure(readLoaderVariable(this.#system, "LoaderBootCountPath")).action === "reboot";
  }

  /** The physical root is mounted: what the boot does is written there from now on. */
  attach(deploymentId: string): void {
    this.#deploymentId = deploymentId;
    if (this.#entry === undefined) return;
    const path = `${BOOT_PLACES.physicalRoot}/${BOOT_SLOTS_PATH}/${bootSlotName(this.#entry.tries)}`;
    const held = this.#system.hold(path);
    // A link could lead to any file that the boot program may write to.
    if (held === undefined || held.kind !== "file" || held.realPath !== path) return;
    this.#slot = held.source;
    this.reach("initramfs");
  }

  /**
   * Writes how far the boot has come; a refusal without a disk into a variable of the firmware. That it cannot be written
   * never stops a boot.
   */
  reach(stage: BootStage, error?: unknown): void {
    if (this.#entry === undefined) return;
    const failure = error === undefined ? undefined : failureOf(error);
    const common = { stage, bootId: this.#bootId, deploymentId: this.#deploymentId, ...this.#entry };
    const report = { ...common, ...(failure && { failure }) };
    if (this.#slot !== undefined) this.#system.writeText(this.#slot, formatBootReport(report));
    else if (stage === "boot-program-failed") {
      const name = bootReportVariable(report.tries);
      createVariable(this.#system, name, BOOT_REPORT_VENDOR, formatBootReportVariable(report));
    }
  }
}

function failureOf(error: unknown): BootReport["failure"] {
  if (!(error instanceof SealrootError)) return { message: reasonOf(error) };
  const { expected, actual } = error.data;
  return {
    message: error.message,
    ...(expected !== undefined && { expected }),
    ...(actual !== undefined && { actual }),
  };
}

/**
 * Whether systemd takes over a watchdog that runs, as the signed command line says (kernel-command-line(7),
 * systemd.watchdog_sec=): an armed one that nobody serves would restart a good system.
 */
function asksForWatchdog(commandLine: string): boolean {
  const value = CommandLine.parse(commandLine).all("systemd.watchdog_sec").at(-1)?.value ?? "off";
  return !/^(?:0+[a-z]*|off|infinity)?$/.test(value);
}

/** The driver's own time limit holds until systemd sets its own: 30 s of most, 60 s of softdog. */
function armWatchdog(system: BootSystem): void {
  loadKernelModules(system, "order-watchdog");
  if (system.armWatchdog(WATCHDOG)) system.report("information", "the watchdog is armed");
  else system.report("information", "there is no watchdog: a hang of this boot is not noticed");
}
