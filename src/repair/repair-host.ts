/** Repairing a host: everything that a check finds and that can be mended is, and nothing else changes. */

import { join } from "node:path";
import { GLOBAL_ADDONS_FOLDER } from "../bootloader/index.ts";
import { asSealrootError, type SealrootError } from "../errors/index.ts";
import { runStep } from "../events/index.ts";
import { espOf, type HostPlaces, placeOfBootFile } from "../host/index.ts";
import { collectLeftovers, namesInIfReadable } from "../platform/index.ts";
import { checkOutside, type HostCheck, hostCheck, insistsOnVerity } from "./check-host.ts";
import { checkHostRepository, checkMeta, needsOf, openHostRepository } from "./check-repository.ts";
import type { MendableFault } from "./fault.ts";
import type { SourceOptions } from "./image-source.ts";
import { keptDeployments } from "./kept-deployments.ts";
import { repairHostRepository } from "./repair-repository.ts";

export interface HostRepair {
  /** What was wrong. */
  readonly before: HostCheck;
  /** What is still wrong. */
  readonly after: HostCheck;
  /** References that images were fetched from. */
  readonly sources: readonly string[];
  /** Why something could not be mended. */
  readonly failures: readonly SealrootError[];
  /** The running system still has damaged files open: what was mended is seen after a reboot. */
  readonly rebootNeeded: boolean;
}

/**
 * Mends in the order in which one thing vouches for another: meta.json, the repository's objects by their digests, then
 * what is compared with them. Everything is written beside and renamed; killed at any point, each thing is as it was or
 * mended, and the next run goes on.
 *
 * @throws SealrootError only when nothing at all can be done
 */
export async function repairHost(places: HostPlaces, options: SourceOptions): Promise<HostRepair> {
  const { events } = options;
  const failures: SealrootError[] = [];
  removeLeftovers(places);
  const kept = keptDeployments(places);
  const meta = checkMeta(places, insistsOnVerity(places, kept));
  await mendAll(meta, failures);
  const opened = await openHostRepository(places);
  if (!("objects" in opened)) {
    const check = hostCheck(undefined, [...meta, opened], await checkOutside(places, kept, undefined, events), kept);
    return { before: check, after: check, sources: [], failures, rebootNeeded: false };
  }
  using repository = opened;
  repository.assertWritable();
  const found = await checkHostRepository(repository, kept.deployments, events);
  const rest = await checkOutside(places, kept, repository, events);
  const before = hostCheck(found, meta, rest, kept);
  if (before.faults.length === 0) return { before, after: before, sources: [], failures, rebootNeeded: false };
  const repaired = await repairHostRepository(places, repository, kept.deployments, found, options);
  failures.push(...repaired.failures);
  // Only a whole repository says what belongs on the ESP.
  const outside = await checkOutside(places, keptDeployments(places), repository, events);
  await runStep(events, "mend boot files, entries and state", () => mendAll(outside.faults, failures));
  const again = keptDeployments(places);
  const isChanged = repaired.objectIds.length + repaired.links.length > 0;
  const now = isChanged ? await checkHostRepository(repository, again.deployments, events) : found;
  const after = hostCheck(
    now,
    checkMeta(places, insistsOnVerity(places, again)),
    await checkOutside(places, again, repository, events),
    again,
  );
  const booted = again.deployments.find(({ isBooted }) => isBooted);
  const needed = booted === undefined ? new Set() : needsOf(repository, booted);
  const rebootNeeded = repaired.objectIds.some((objectId) => needed.has(objectId));
  return { before, after, sources: repaired.sources, failures, rebootNeeded };
}

/** What a repair that was killed has left beside what it wrote, should there be nothing left to write there. */
function removeLeftovers(places: HostPlaces): void {
  collectLeftovers(places.physicalRoot);
  const ukis = "EFI/Linux/bootc";
  const esp = espOf(places);
  const atUkis = esp === undefined ? [] : namesInIfReadable(join(esp, ukis));
  const besideUkis = atUkis.filter((name) => name.endsWith(".extra.d"));
  const folders = [ukis, "EFI/BOOT", "EFI/systemd", "loader/entries", GLOBAL_ADDONS_FOLDER];
  for (const folder of [...folders, ...besideUkis.map((name) => join(ukis, name))]) {
    const place = placeOfBootFile(places, folder);
    if (place !== undefined) collectLeftovers(join(place.directory, place.path));
  }
}

/** One after the other: entries are written when what they name is there. */
async function mendAll(faults: readonly MendableFault[], failures: SealrootError[]): Promise<void> {
  for (const { kind, subject, mend } of faults) {
    try {
      await mend?.();
    } catch (error) {
      failures.push(asSealrootError(error, `Cannot mend ${subject} (${kind})`));
    }
  }
}
