/** How much of the time of /usr /boot and /sysroot of a boot variant get (spec/upstream-1.17.md 2a). */
import type { BootTimes } from "../../tree/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const BOOT_TIMES_OPTION = {
  flags: "--boot-times <RULE>",
  summary: "/boot and /sysroot get the full time of /usr (default), or its seconds, as composefs before 0.9.3 did",
  choices: ["full", "seconds"],
} as const satisfies OptionSpecification;

/** The same for verbs that also have another variant. */
export const BOOTABLE_TIMES_OPTION = { ...BOOT_TIMES_OPTION, needs: ["bootable"] } as const;

/** The option's value, for making trees bootable. */
export function bootTimesOption(invocation: Invocation<readonly [typeof BOOT_TIMES_OPTION]>): BootTimes {
  return invocation.option("boot-times") === "seconds" ? "seconds" : "full";
}
