/** Which deployments did not boot, from what the boot loader counted and what their boots left. */
import { assessmentOf, parseCountedName } from "../../bls/index.ts";
import type { StoredEntry } from "../../bootloader/index.ts";
import type { BootReport } from "../../bootplan/index.ts";
import type { Host } from "../host.ts";
import type { FailedBoot } from "./failed-boots.ts";

/**
 * The deployments that the boot loader gave up and that are not recorded: another one runs, and no try is left to them.
 *
 * @param now for the record
 */
export function unrecordedFailures(
  host: Pick<Host, "booted" | "entries" | "rollback" | "others">,
  recorded: readonly FailedBoot[],
  reports: readonly BootReport[],
  now: Date,
): readonly FailedBoot[] {
  const { booted, entries } = host;
  if (booted === undefined) return [];
  return entries.flatMap((entry): FailedBoot[] => {
    const { deploymentId } = entry;
    if (deploymentId === undefined || deploymentId === booted.deploymentId) return [];
    if (assessmentOf(entry.fileName) !== "bad" || recorded.some((one) => one.deploymentId === deploymentId)) return [];
    const origin = [host.rollback, ...host.others].find((one) => one?.deploymentId === deploymentId)?.origin;
    return [
      {
        deploymentId,
        manifestDigest: origin?.manifestDigest,
        imageReference: origin?.imageReference,
        tries: parseCountedName(entry.fileName).count?.done ?? 0,
        fellBackTo: booted.deploymentId,
        time: now.toISOString(),
        ...verdictOf(entry, reports),
      },
    ];
  });
}

const SILENCE = {
  none: "no try got as far as the boot program: the firmware, the boot loader or the kernel failed",
  initramfs: "the boot program did not finish: it hung, or the machine crashed or lost power",
  system: "the system did not come up: it hung, or it crashed or the machine lost power",
} as const;

/** What the last try that told of itself says. */
function verdictOf(
  { fileName, deploymentId }: StoredEntry,
  reports: readonly BootReport[],
): Pick<FailedBoot, "step" | "failure" | "bootIds"> {
  const { base } = parseCountedName(fileName);
  const own = reports.filter((report) => report.deploymentId === deploymentId || report.entry === base);
  const bootIds = own.map(({ bootId }) => bootId);
  const last = own.at(-1);
  if (last === undefined) return { step: "boot-loader", failure: { message: SILENCE.none }, bootIds };
  const step = last.stage === "system" || last.stage === "system-failed" ? "system" : "initramfs";
  return { step, failure: last.failure ?? { message: SILENCE[step] }, bootIds };
}
