/** Deleting one deployment (spec/host-lifecycle.md 5.2). */
import { isExhausted } from "../bls/index.ts";
import type { BootEntryStore } from "../bootloader/index.ts";
import { removeStagedRecord, stateDirectory } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { collectHost, type HostCollection } from "./collect/collect-host.ts";
import { existingItems, removeItems } from "./collect/item.ts";
import type { Host, HostProblem } from "./host.ts";
import { entryStoreOf } from "./host-entries.ts";
import type { HostPlaces } from "./host-places.ts";
import { readHost } from "./read-host.ts";
import { rollback } from "./rollback.ts";

export interface DeleteOptions {
  /** As collectHost's. */
  readonly lockTimeoutMs?: number;
  /** What a soft reboot would start: nextRootImage(). */
  readonly preparedImage: string | undefined;
  readonly events: EventSink;
}

export interface DeletedDeployment {
  readonly deploymentId: string;
  /** It was staged. */
  readonly wasStaged: boolean;
  /** With all that only it needed. */
  readonly collection: HostCollection;
}

/**
 * Deletes a deployment: its boot entry first, so that no boot finds half of it; then its state, and by garbage collection
 * everything that no other deployment needs. What is staged stays, unless it is that or would not fit any more: a rollback
 * that is queued to the deployment is reverted.
 *
 * @throws SealrootError `conflict` for the booted and for pinned ones, `not-found`; as collectHost
 */
export async function deleteDeployment(
  places: HostPlaces,
  deploymentId: string,
  options: DeleteOptions,
): Promise<DeletedDeployment> {
  const { store } = entryStoreOf(places, "delete a deployment");
  const host = await readHost(places);
  refuse(places, host, deploymentId, options.preparedImage);
  const wasStaged = host.staged?.deploymentId === deploymentId;
  if (wasStaged) {
    removeStagedRecord(places.runDirectory);
    store.discardStaged();
  }
  await unqueue(places, host, deploymentId);
  for (const folder of ["live", "staged"] as const) {
    removeEntries(store, folder, deploymentId);
  }
  const { physicalRoot } = places;
  const failures: HostProblem[] = [];
  const state = removeItems(physicalRoot, existingItems(physicalRoot, stateDirectory(deploymentId)), failures);
  const rest = await collectHost(places, { ...options, dryRun: false, scope: "all" });
  const collection: HostCollection = {
    ...rest,
    state: [...state, ...rest.state],
    bytes: rest.bytes + state.reduce((total, { bytes }) => total + bytes, 0),
    problems: [...failures, ...rest.problems],
    isIncomplete: rest.isIncomplete || failures.length > 0,
  };
  return { deploymentId, wasStaged, collection };
}

function refuse(
  { booted: root }: HostPlaces,
  host: Host,
  deploymentId: string,
  preparedImage: string | undefined,
): void {
  const all = [host.staged, host.booted, host.rollback, ...host.others, ...host.entries];
  if (!all.some((one) => one?.deploymentId === deploymentId)) {
    throw new SealrootError("not-found", `Deployment ${deploymentId} not found`, {
      hint: "sealroot status shows the deployments there are",
    });
  }
  if (host.booted?.deploymentId === deploymentId || root?.imageId === deploymentId) {
    throw new SealrootError("conflict", "Cannot delete currently booted deployment", {
      hint: "boot another one first: sealroot rollback --apply",
    });
  }
  if (preparedImage === deploymentId) {
    throw new SealrootError("conflict", `Cannot delete deployment ${deploymentId}: a soft reboot into it is prepared`, {
      hint: "give that up first: sealroot internals prep-soft-reboot --reset",
    });
  }
  const record = [host.staged, host.rollback, ...host.others].find((one) => one?.deploymentId === deploymentId);
  if (record?.origin.pinned !== true) return;
  throw new SealrootError("conflict", `Cannot delete deployment ${deploymentId}: it is pinned`, {
    hint: `let go of it first: sealroot unpin ${deploymentId.slice(0, 12)}`,
  });
}

/** Also those that were hidden behind another of the same name with another boot counter. */
function removeEntries(store: BootEntryStore, folder: "live" | "staged", deploymentId: string): void {
  for (;;) {
    const own = store.list(folder).entries.filter((entry) => entry.deploymentId === deploymentId);
    if (own.length === 0) return;
    store.remove(
      folder,
      own.map(({ fileName }) => fileName),
    );
  }
}

/** The next boot takes the booted deployment again, not whichever is next in the menu. */
async function unqueue(places: HostPlaces, { booted, entries }: Host, deploymentId: string): Promise<void> {
  const [first, next] = entries;
  if (first?.deploymentId !== deploymentId || booted?.entry === undefined || isExhausted(booted.entry)) return;
  if (next?.fileName !== booted.entry.fileName) await rollback(places, booted.deploymentId);
}

/** What is said of it. */
export function deletedText({ deploymentId, wasStaged }: DeletedDeployment): string {
  return `Deleted ${wasStaged ? "staged " : ""}deployment ${deploymentId}`;
}
