/** The deployments of a host that must be whole: what can be booted, what runs, what is staged, what is pinned. */
import { CommandLine, findComposefsArguments } from "../../bls/index.ts";
import { type EntryListing, EntryStore, type StoredEntry } from "../../bootloader/index.ts";
import {
  type DeploymentListing,
  type DeploymentRecord,
  listDeployments,
  readStagedRecord,
} from "../../deployment/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { type HostPlaces, menuOrder } from "../host-places.ts";

export interface KeptDeployment {
  readonly deploymentId: string;
  /** Undefined when its origin file cannot be read. */
  readonly record: DeploymentRecord | undefined;
  /** Undefined when it is lost. */
  readonly entry: StoredEntry | undefined;
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

/**
 * @param lost deployments that are to be kept although nothing else says so
 * @throws SealrootError when the deployments cannot be listed
 */
export function keptDeployments(places: HostPlaces, lost: readonly string[] = []): KeptDeployments {
  const records = listDeployments(places.physicalRoot);
  const { listing: live, error: liveError } = entriesOf(places, "live");
  const stagedId = stagedDeployment(places);
  const staged = entriesOf(places, "staged").listing.entries.find(({ deploymentId }) => deploymentId === stagedId);
  const bootedId = bootedDeployment(places);
  const entries = new Map<string, StoredEntry | undefined>();
  for (const entry of live.entries) if (entry.deploymentId !== undefined) entries.set(entry.deploymentId, entry);
  const hasState = (id: string) =>
    records.deployments.some(({ deploymentId }) => deploymentId === id) ||
    records.unusable.some(({ deploymentId }) => deploymentId === id);
  if (stagedId !== undefined) entries.set(stagedId, staged);
  const pinned = records.deployments.filter(({ origin }) => origin.pinned).map(({ deploymentId }) => deploymentId);
  for (const id of [...(bootedId !== undefined && hasState(bootedId) ? [bootedId] : []), ...pinned, ...lost]) {
    if (!entries.has(id)) entries.set(id, undefined);
  }
  const deployments = [...entries].map(([deploymentId, entry]) => ({
    deploymentId,
    entry,
    record: records.deployments.find((record) => record.deploymentId === deploymentId),
    isBooted: deploymentId === bootedId,
    isStaged: deploymentId === stagedId,
  }));
  return { deployments, records, live, liveError };
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
    return { listing: new EntryStore(bootDirectory, menuOrder(bootLoader)).list(folder), error: undefined };
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
