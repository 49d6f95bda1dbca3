/** What /boot and /sysroot of a boot variant take of the time of /usr (spec/upstream-1.17.md 2a). */
import { SealrootError } from "../errors/index.ts";
import type { BootTimes } from "../tree/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

export const BOOT_TIMES_OPTION: OptionSpecification = {
  flags: "--boot-times <RULE>",
  summary: "/boot and /sysroot get the full time of /usr (default), or its seconds, as composefs before 0.9.3 did",
  choices: ["full", "seconds"],
};

/** @throws SealrootError `usage` where it would have no effect: a verb with --bootable, and without it */
export function bootTimesOption(invocation: Invocation, isBootable: boolean): BootTimes {
  const rule = invocation.option("boot-times");
  if (rule !== undefined && !isBootable) {
    throw new SealrootError("usage", "Cannot use --boot-times: it is about the variant that is booted", {
      hint: "add --bootable",
    });
  }
  return rule === "seconds" ? "seconds" : "full";
}
