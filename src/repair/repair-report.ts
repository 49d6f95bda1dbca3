/** What is said of a check or a repair: lines for people, and data for programs. */
import { describeError } from "../errors/index.ts";
import type { HostCheck } from "./check-host.ts";
import { type Fault, faultText } from "./fault.ts";
import type { HostRepair } from "./repair-host.ts";

/** As much of an id as tells deployments apart. */
const SHOWN_DIGITS = 12;

/** Lines without line ends; `remarks` are for standard error. */
export interface ReportText {
  readonly lines: readonly string[];
  readonly remarks: readonly string[];
}

export function checkText(check: HostCheck): ReportText {
  const { faults, notes } = check;
  const status = faults.length === 0 ? "ok" : countText(faults.length, "fault");
  const hint = faults.some(({ repairable }) => repairable) ? ["mend them with sealroot fsck --repair"] : [];
  return { lines: [checkedText(check), `status: ${status}`, ...faults.map(faultLine)], remarks: [...notes, ...hint] };
}

export function repairText({ before, after, sources, failures, rebootNeeded }: HostRepair): ReportText {
  const repaired = mended(before.faults, after.faults);
  const left = after.faults.length;
  const status = left === 0 ? "ok" : `${countText(left, "fault")} left`;
  return {
    lines: [
      checkedText(after),
      ...repaired.map((fault) => `repaired: ${faultText({ ...fault, detail: undefined })}`),
      ...sources.map((reference) => `fetched from: ${reference}`),
      `status: ${status}`,
      ...after.faults.map(faultLine),
    ],
    remarks: [
      ...after.notes,
      ...failures.flatMap((error) => describeError(error)),
      ...(rebootNeeded ? ["the running system may still have damaged files open: reboot"] : []),
    ],
  };
}

/** docs/schema/fsck.json */
export function checkJson({ checked, faults, notes }: HostCheck): Readonly<Record<string, unknown>> {
  return { ok: faults.length === 0, checked, faults: faults.map(faultJson), notes };
}

/** As {@link checkJson} of what is there now, with what was done. */
export function repairJson({ before, after, ...repair }: HostRepair): Readonly<Record<string, unknown>> {
  const { sources, failures, rebootNeeded } = repair;
  return {
    ...checkJson(after),
    repair: {
      found: before.faults.map(faultJson),
      repaired: mended(before.faults, after.faults).length,
      sources,
      failures: failures.map((error) => error.toJSON()),
      rebootNeeded,
    },
  };
}

function mended(before: readonly Fault[], after: readonly Fault[]): Fault[] {
  const left = new Set(after.map(keyOf));
  return before.filter((fault) => !left.has(keyOf(fault)));
}

function keyOf({ kind, subject, detail }: Fault): string {
  return JSON.stringify([kind, subject, kind.startsWith("object-") ? undefined : detail]);
}

/** Without the way to mend it, and without fields that say nothing. */
function faultJson({ kind, subject, detail, deployments, repairable }: Fault): object {
  return { kind, subject, ...(detail === undefined ? {} : { detail }), deployments, repairable };
}

function faultLine(fault: Fault): string {
  const concerned = fault.deployments.map((id) => id.slice(0, SHOWN_DIGITS)).join(", ");
  const words = [
    ...(concerned === "" ? [] : [`deployment ${concerned}`]),
    fault.repairable ? "repairable" : "not repairable",
  ];
  return `  - ${faultText(fault)} [${words.join("; ")}]`;
}

function checkedText({ checked }: HostCheck): string {
  const { objects, streams, images, deployments, bootFiles } = checked;
  return `checked: ${[
    countText(objects, "object"),
    countText(streams, "stream"),
    countText(images, "image"),
    countText(deployments, "deployment"),
    countText(bootFiles, "boot file"),
  ].join(", ")}`;
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
