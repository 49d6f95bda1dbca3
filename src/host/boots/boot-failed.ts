/** What is written down when a new system came up and is not well, before it falls back. */
import type { BootFailure } from "../../bootplan/index.ts";
import { runTool } from "../../platform/index.ts";
import type { HostPlaces } from "../host-places.ts";
import { writeBootReport } from "./boot-slots.ts";
import type { CurrentBoot } from "./current-boot.ts";
import { readHealthReport } from "./health-report.ts";

/** Nobody waits longer for a system that is being given up. */
const SYSTEMCTL_TIMEOUT_MS = 20_000;
const NAMES_SHOWN = 5;
/** It calls this while its own job runs. */
const OWN_UNIT = "sealroot-boot-failed.service";

/**
 * Writes what failed into the slot of this try.
 * @returns undefined when the boot loader does not count this boot
 */
export async function recordFailedBoot(places: HostPlaces, boot: CurrentBoot): Promise<BootFailure | undefined> {
  const { bootId, entry, tries } = boot;
  if (entry === undefined || tries === undefined) return undefined;
  const failure = await whatFailed(places.runDirectory);
  const deploymentId = places.booted?.imageId;
  writeBootReport(places.physicalRoot, { stage: "system-failed", bootId, entry, tries, deploymentId, failure });
  return failure;
}

/** A health check says it best; else the units that failed, or those that the boot still waits for. */
async function whatFailed(runDirectory: string): Promise<BootFailure> {
  const [check] = readHealthReport(runDirectory);
  if (check !== undefined) return { message: `health check ${check.name} failed: ${check.reason}` };
  const failed = await unitNames(["list-units", "--failed", "--plain", "--no-legend"], 0);
  if (failed.length > 0) return { message: `the system did not come up: ${listed("failed", failed)}` };
  const jobs = await unitNames(["list-jobs", "--plain", "--no-legend"], 1, /\brunning\s*$/);
  const waiting = jobs.filter((name) => name !== OWN_UNIT);
  if (waiting.length > 0) return { message: `the system did not come up in time: ${listed("waiting for", waiting)}` };
  return { message: "the system did not come up: boot-complete.target was not reached" };
}

function listed(what: string, names: readonly string[]): string {
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : "";
  return `${what} ${names.slice(0, NAMES_SHOWN).join(", ")}${more}`;
}

/** One column of a table of systemctl; empty when it does not answer. */
async function unitNames(words: readonly string[], column: number, only = /./): Promise<string[]> {
  try {
    const { stdout } = await runTool("systemctl", words, { timeoutMs: SYSTEMCTL_TIMEOUT_MS });
    const lines = stdout
      .toString()
      .split("\n")
      .filter((line) => only.test(line));
    return lines.flatMap((line) => line.trim().split(/\s+/)[column] ?? []);
  } catch {
    return [];
  }
}
