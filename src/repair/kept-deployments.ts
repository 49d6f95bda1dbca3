/** The deployments of a host that must be whole: what can be booted, what runs, what is staged, what is pinned. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { CommandLine, findComposefsArguments } from "../bls/index.ts";
import { type EntryListing, hasGrubMenu, openEntryStore, type StoredEntry } from "../bootloader/index.ts";
import {
  type DeploymentListing,
  type DeploymentRecord,
  listDeployments,
  readStagedRecord,
  stateDirectory,
} from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type HostPlaces, menuOrder } from "../host/index.ts";
import { type LostPlace, lostDeployments } from "./lost-entries.ts";

export interface KeptDeployment {
  readonly deploymentId: string;
  /** Undefined when its origin file cannot be read. */
  readonly record: DeploymentRecord | undefined;
  /** Undefined when it is lost. */
  readonly entry: StoredEntry | undefined;
  /** Where in the menu its entry is lost. */
  readonly lost: LostPlace | undefined;
  readonly isBooted: boolean;
  readonly isStaged: boolean;
}

export interface KeptDeployments {
  /** In the order of the menu, then those without an entry. */
  readonly deployments: readonly KeptDeployment[];
  readonly records: DeploymentListing;
  readonly live: EntryListing;
  /** Where there is none, or it cannot be read, entries are not judged. */
  readonly liveError: SealrootError | undefined;
}

/** @throws SealrootError when the deployments cannot be listed */
export function keptDeployments(places: HostPlaces): KeptDeployments {
  const records = listDeployments(places.physicalRoot);
  const { listing: live, error: liveError } = entriesOf(places, "live");
  const stagedId = stagedDeployment(places);
  const staged = entriesOf(places, "staged").listing.entries.find(({ deploymentId }) => deploymentId === stagedId);
  const bootedId = bootedDeployment(places);
  const entries = new Map<string, StoredEntry | undefined>();
  for (const entry of live.entries) if (entry.deploymentId !== undefined) entries.set(entry.deploymentId, entry);
  if (stagedId !== undefined) entries.set(stagedId, staged);
  const lost =
    liveError === undefined ? lostOf(places, records, live, { entries, bootedId }) : new Map<string, LostPlace>();
  const certain = records.deployments.filter(({ deploymentId, origin }) => origin.pinned || deploymentId === bootedId);
  for (const id of [...lost.keys(), ...certain.map(({ deploymentId }) => deploymentId)]) {
    if (!entries.has(id)) entries.set(id, undefined);
  }
  const deployments = [...entries].map(([deploymentId, entry]) => ({
    deploymentId,
    entry,
    record: records.deployments.find((record) => record.deploymentId === deploymentId),
    lost: lost.get(deploymentId),
    isBooted: deploymentId === bootedId,
    isStaged: deploymentId === stagedId,
  }));
  return { deployments, records, live, liveError };
}

/** What a lost entry may have started: a deployment that is there, and that nothing else starts. */
function lostOf(
  { bootDirectory, bootLoader, physicalRoot }: HostPlaces,
  records: DeploymentListing,
  live: EntryListing,
  { entries, bootedId }: { readonly entries: ReadonlyMap<string, unknown>; readonly bootedId: string | undefined },
): ReadonlyMap<string, LostPlace> {
  const candidates = records.deployments
    .filter(({ deploymentId, origin }) => !entries.has(deploymentId) && origin.bootType === "uki")
    .map(({ deploymentId, origin }) => ({
      deploymentId,
      isBooted: deploymentId === bootedId,
      isCertain: deploymentId === bootedId || origin.pinned,
      writtenMs: statSync(join(physicalRoot, stateDirectory(deploymentId))).mtimeMs,
    }))
    // In a menu the deployment that runs comes before older ones.
    .sort((a, b) => Number(b.isBooted) - Number(a.isBooted) || b.writtenMs - a.writtenMs);
  if (bootDirectory !== undefined && hasGrubMenu(bootDirectory, menuOrder(bootLoader))) {
    // Its entries do not say how many there were.
    const certain = candidates.filter(({ isCertain }) => isCertain);
    return new Map(certain.map(({ deploymentId }) => [deploymentId, { size: candidates.length, index: undefined }]));
  }
  const left = live.entries.filter(({ deploymentId }) => deploymentId !== undefined);
  const unusable = live.unusable.map(({ fileName }) => fileName);
  return lostDeployments(left, unusable, candidates);
}

/** Named after the image that its command line names first, whichever of its images is mounted. */
function bootedDeployment({ booted }: HostPlaces): string | undefined {
  if (booted === undefined) return undefined;
  return findComposefsArguments(booted.commandLine)[0]?.id ?? booted.imageId;
}

function stagedDeployment({ runDirectory }: HostPlaces): string | undefined {
  try {
    return readStagedRecord(runDirectory)?.deploymentId;
  } catch (error) {
    // Nothing is finalised by such a record.
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}

function entriesOf(
  { bootDirectory, bootLoader }: HostPlaces,
  folder: "live" | "staged",
): { readonly listing: EntryListing; readonly error: SealrootError | undefined } {
  const none: EntryListing = { entries: [], unusable: [] };
  if (bootDirectory === undefined) {
    return { listing: none, error: new SealrootError("not-found", "The boot entries of this host were not found") };
  }
  try {
    return { listing: openEntryStore(bootDirectory, menuOrder(bootLoader)).list(folder), error: undefined };
  } catch (error) {
    if (error instanceof SealrootError) return { listing: none, error };
    throw error;
  }
}

/** True when a command line names an image and insists on fs-verity. */
export function requiresVerity(commandLine: string): boolean {
  try {
    const named = findComposefsArguments(CommandLine.parse(commandLine));
    return named.length > 0 && named.every(({ verityOptional }) => !verityOptional);
  } catch (error) {
    if (error instanceof SealrootError) return false;
    throw error;
  }
}
