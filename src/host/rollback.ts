/** Changing which deployment the next boot takes (spec/host-lifecycle.md 5.1), for any number of them. */
import { isExhausted } from "../bls/index.ts";
import type { StoredEntry } from "../bootloader/index.ts";
import { readStagedRecord, removeStagedRecord } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { menuFiles } from "./entry-order.ts";
import type { Host } from "./host.ts";
import { entryStoreOf } from "./host-entries.ts";
import type { HostPlaces } from "./host-places.ts";
import { readHost } from "./read-host.ts";

export interface RolledBack {
  /** What the next boot takes. */
  readonly deploymentId: string;
  /** It is the one that runs. */
  readonly isBooted: boolean;
  /** A rollback was queued and is not any more. */
  readonly reverted: boolean;
  /** What was staged, and is not any more, as bootc does it: an update that is wanted after all is fetched again. */
  readonly droppedId: string | undefined;
}

/**
 * Makes the deployment that can be rolled back to the one that the next boot takes; or, when another than the booted one
 * is that already, the booted one again. All others stay in the menu, behind it and in their order, and so do their boot
 * counters. The running system is not touched; `/etc` is not merged.
 *
 * @param wantedId the deployment to take instead
 * @throws SealrootError `not-found` when there is none to take; `conflict` for one that the boot loader gave up
 */
export async function rollback(places: HostPlaces, wantedId?: string): Promise<RolledBack> {
  const { store } = entryStoreOf(places, "roll back");
  const host = await readHost(places);
  const chosen = chooseEntry(host, wantedId);
  if (isExhausted(chosen)) throw gaveUp(chosen);
  const others = host.entries.filter(({ fileName }) => fileName !== chosen.fileName);
  const droppedId = dropStagedRecord(places);
  store.stage(menuFiles([chosen, ...others]));
  store.activate();
  const { deploymentId = "" } = chosen;
  const isBooted = chosen.fileName === host.booted?.entry?.fileName;
  return { deploymentId, isBooted, reverted: isBooted && host.rollbackQueued, droppedId };
}

/**
 * Gives up what is staged, before its entries go: without the record nothing switches to them at shutdown. Its state and
 * images are garbage from then on.
 * @returns its id; undefined also for a record that cannot be read
 */
export function dropStagedRecord({ runDirectory }: Pick<HostPlaces, "runDirectory">): string | undefined {
  try {
    return readStagedRecord(runDirectory)?.deploymentId;
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  } finally {
    removeStagedRecord(runDirectory);
  }
}

function chooseEntry(
  { booted, rollback: older, rollbackQueued, entries }: Host,
  wantedId: string | undefined,
): StoredEntry {
  const wanted =
    wantedId === undefined
      ? (rollbackQueued ? booted : older)?.entry
      : entries.find(({ deploymentId }) => deploymentId === wantedId);
  if (wanted !== undefined) return wanted;
  const reason =
    wantedId === undefined ? "No rollback available" : `Cannot roll back: no boot entry starts ${wantedId}`;
  throw new SealrootError("not-found", reason, { hint: "sealroot status shows the deployments there are" });
}

function gaveUp({ fileName, deploymentId = "" }: StoredEntry): SealrootError {
  return new SealrootError(
    "conflict",
    `Cannot roll back to ${deploymentId}: its boots failed, and it has no tries left`,
    {
      path: fileName,
      hint: "choose it in the boot menu to try it once more, or upgrade to another image",
    },
  );
}

/** What is said of it, in bootc's words. */
export function rollbackLines({ droppedId, isBooted, reverted }: RolledBack): string[] {
  return [
    ...(droppedId === undefined ? [] : [`notice: Dropping staged deployment ${droppedId}`]),
    ...(reverted ? ["notice: Reverting queued rollback state"] : []),
    `Next boot: ${isBooted ? "current" : "rollback"} deployment`,
  ];
}
