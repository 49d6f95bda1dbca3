/** The end of a boot that must not continue: say why, then reboot or stop. Never a shell. */
import { decideFailure, describeFailure } from "../src/bootplan/failure.ts";
import type { CountedBoot } from "./counted-boot.ts";
import { readLoaderVariable } from "./efi-variables.ts";
import type { BootSystem } from "./system.ts";

/** Time for a person to see the lines before the machine reboots. */
const READING_TIME_MS = 3000;
/** Between the emergency commands, which the kernel executes in the background. */
const SYSRQ_PAUSE_MS = 300;
const FOREVER_MS = 3_600_000;

/** Does not return, except in tests whose machine cannot reboot. */
export function refuseBoot(system: BootSystem, boot: CountedBoot | undefined, error: unknown): void {
  boot?.reach("boot-program-failed", error);
  const decision = decideFailure(readLoaderVariable(system, "LoaderBootCountPath"));
  for (const line of describeFailure(error, decision)) system.report("failure", line);
  if (decision.action === "reboot") {
    system.sleepMs(READING_TIME_MS);
    // sync, remount read-only, reboot (Linux Documentation/admin-guide/sysrq.rst)
    for (const key of ["s", "u", "b"]) {
      system.writeText("/proc/sysrq-trigger", key);
      system.sleepMs(SYSRQ_PAUSE_MS);
    }
  }
}

/** Sleeps until the machine is switched off. A watchdog is armed only where a restart helps: it ends this too. */
export function stopForever(system: BootSystem): never {
  for (;;) system.sleepMs(FOREVER_MS);
}
