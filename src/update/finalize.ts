/** What is done with a staged deployment when the system goes down (spec/host-lifecycle.md 4.4). */

import { join } from "node:path";
import { type BootEntryStore, openEntryStore } from "../bootloader/index.ts";
import {
  mergeEtc,
  REPOSITORY_PATH,
  readDeployment,
  readStagedRecord,
  removeStagedRecord,
  type StagedRecord,
  stateDirectory,
} from "../deployment/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import {
  collectHost,
  etcOfDeployment,
  type HostPlaces,
  keepsEtc,
  menuOrder,
  readHost,
  requireEsp,
  rootConfigurationOf,
  writeGlobalAddons,
} from "../host/index.ts";
import { openRepository } from "../repository/index.ts";

export interface FinalizeOptions {
  /** The live directory, `/etc`. */
  readonly etcPath: string;
  /** What a soft reboot would start: nextRootImage(). */
  readonly preparedImage?: string | undefined;
  /** Called when all is done; a root that is prepared for a soft reboot still has the `/etc` from before the merge. */
  readonly refreshNextRoot?: (deploymentId: string) => Promise<void>;
  readonly events: EventSink;
}

/** `nothing`: none is staged; `download-only`: it waits to be told; otherwise the next boot takes it. */
export type FinalizeOutcome =
  | { readonly kind: "nothing" }
  | { readonly kind: "download-only" | "finalized"; readonly deploymentId: string };

/**
 * Writes `/etc` of the staged deployment with the changes of this host, then switches the boot entries in one step. On
 * any failure the next boot takes what it took before.
 *
 * @throws SealrootError as mergeEtc and EntryStore.activate; `corrupt` when record and staged entries disagree
 */
export async function finalizeStaged(places: HostPlaces, options: FinalizeOptions): Promise<FinalizeOutcome> {
  const record = readStagedRecord(places.runDirectory);
  if (record === undefined) return { kind: "nothing" };
  const { deploymentId } = record;
  if (record.downloadOnly) return { kind: "download-only", deploymentId };
  const entries = entryStore(places);
  if (!isInterrupted(entries, record)) {
    requireOwnEntries(entries, record);
    await runStep(options.events, "merge /etc", () => mergeStagedEtc(places, record, options));
    if (record.globalAddons.length > 0) {
      await runStep(options.events, "write the global add-ons", () => switchGlobalAddons(places, record));
    }
    await runStep(options.events, "switch the boot entries", () => entries.activate());
  }
  removeStagedRecord(places.runDirectory);
  await options.refreshNextRoot?.(deploymentId);
  // What stays behind here is removed by the next update.
  await collectHost(places, {
    dryRun: false,
    scope: "boot",
    preparedImage: options.preparedImage,
    events: options.events,
  });
  return { kind: "finalized", deploymentId };
}

function entryStore({ bootDirectory, bootLoader }: HostPlaces): BootEntryStore {
  if (bootDirectory !== undefined) return openEntryStore(bootDirectory, menuOrder(bootLoader));
  throw new SealrootError("not-found", "Cannot finalize the staged deployment: the ESP of this host was not found");
}

/** Before the entries, so that the new deployment never boots without; written as often as it takes. */
async function switchGlobalAddons(places: HostPlaces, { deploymentId, globalAddons }: StagedRecord): Promise<void> {
  const esp = requireEsp(places, "write the global add-ons");
  const { origin } = readDeployment(places.physicalRoot, deploymentId);
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: false });
  await writeGlobalAddons(repository, esp, origin.manifestDigest, globalAddons);
}

/** The one that would be booted first, of those that are ours. */
function firstDeployment(entries: BootEntryStore, folder: "live" | "staged"): string | undefined {
  return entries.list(folder).entries.find(({ deploymentId }) => deploymentId !== undefined)?.deploymentId;
}

/** An earlier run switched the entries and got no further. */
function isInterrupted(entries: BootEntryStore, { deploymentId }: StagedRecord): boolean {
  return !entries.hasStaged && firstDeployment(entries, "live") === deploymentId;
}

function requireOwnEntries(entries: BootEntryStore, { deploymentId }: StagedRecord): void {
  const actual = firstDeployment(entries, "staged");
  if (actual === deploymentId) return;
  throw corrupt("Cannot finalize the staged deployment: the staged boot entries are not its own", {
    expected: deploymentId,
    actual: actual ?? "none",
    hint: "stage it again: sealroot upgrade",
  });
}

async function mergeStagedEtc(
  places: HostPlaces,
  { deploymentId, etcPolicy }: StagedRecord,
  { etcPath, events }: FinalizeOptions,
): Promise<void> {
  const { physicalRoot } = places;
  const { booted } = await readHost(places);
  const imageId = places.booted?.imageId;
  if (booted === undefined || imageId === undefined) {
    throw new SealrootError("not-found", "Cannot merge /etc: no deployment of this system is booted");
  }
  const staged = readDeployment(physicalRoot, deploymentId);
  using repository = await openRepository(join(physicalRoot, REPOSITORY_PATH));
  if (!keepsEtc(repository, imageId)) return;
  const pristine = await etcOfDeployment(repository, booted.origin.manifestDigest, imageId);
  const next = await etcOfDeployment(repository, staged.origin.manifestDigest, deploymentId);
  const etc = join(physicalRoot, stateDirectory(deploymentId), "etc");
  const isUpperLayer = rootConfigurationOf(repository, deploymentId).etc === "overlay";
  await runStep(events, "write /etc", (reporter) =>
    mergeEtc({
      ...{ repository, pristine, next, reporter, isUpperLayer },
      livePath: etcPath,
      targetPath: isUpperLayer ? join(etc, "upper") : etc,
      policy: etcPolicy,
    }),
  );
}
