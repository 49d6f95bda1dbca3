/** Which deployments stay in the menu, and in which order, when a new one is added. */
import { deploymentOfEntry, formatBootEntry, type NamedEntry, placeEntries } from "../bls/index.ts";
import type { NewEntry, StoredEntry } from "../bootloader/index.ts";
import type { Host } from "./host.ts";

/** How many deployments stay when a new one comes. */
export interface Retention {
  /** Besides the new, the booted and the pinned ones; 0 is what bootc does: the one rolled back to so far goes. */
  readonly keep: number;
}

export const DEFAULT_RETENTION: Retention = { keep: 0 };

/** The files of a menu in the order given, the default first; for EntryStore.stage. */
export function menuFiles(entries: readonly NamedEntry[]): NewEntry[] {
  return placeEntries(entries).map(({ fileName, entry }) => ({ fileName, text: formatBootEntry(entry) }));
}

/**
 * The menu once an update is finalised: the new deployment, the one that runs, then in the order they had those that are
 * pinned, that retention keeps, or about which nothing can be read. What is left out is garbage from then on.
 *
 * Of a host that is looked at from outside, and of one whose own entry is lost, the default entry counts as running.
 *
 * @param newEntry under the name that holds its boot counter, if it has one; an entry of the same deployment is replaced
 */
export function entriesAfterUpgrade(host: Host, newEntry: NamedEntry, retention: Retention): NewEntry[] {
  return menuFiles([newEntry, ...keptEntries(host, deploymentOfEntry(newEntry.entry), retention)]);
}

function keptEntries(host: Host, newId: string | undefined, { keep }: Retention): StoredEntry[] {
  const present = host.entries.filter(({ deploymentId }) => deploymentId !== newId);
  const running = present.find((entry) => isOf(host.booted?.entry, entry)) ?? present[0];
  if (running === undefined) return [];
  let left = keep;
  const kept = present.filter((entry) => {
    if (entry === running) return false;
    const deployment = [host.booted, host.rollback, ...host.others].find((one) => isOf(one?.entry, entry));
    return deployment === undefined || deployment.origin.pinned || left-- > 0;
  });
  return [running, ...kept];
}

function isOf(entry: StoredEntry | undefined, other: StoredEntry): boolean {
  return entry?.fileName === other.fileName;
}
