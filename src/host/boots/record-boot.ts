/** What is done once a system is up (boot-complete.target): it is good, and another one that failed is written down. */
import { assessmentOf, type BootAssessment, parseCountedName } from "../../bls/index.ts";
import type { StoredEntry } from "../../bootloader/index.ts";
import { menuFiles } from "../entry-order.ts";
import type { Host } from "../host.ts";
import { entryStoreOf } from "../host-entries.ts";
import type { HostPlaces } from "../host-places.ts";
import { readHost } from "../read-host.ts";
import { recordRollbackIndex } from "../rollback-index.ts";
import { readBootReports, removeBootSlots } from "./boot-slots.ts";
import type { CurrentBoot } from "./current-boot.ts";
import { type FailedBoot, readFailedBoots, writeFailedBoots } from "./failed-boots.ts";
import { unrecordedFailures } from "./judge-boots.ts";
import { removeReportVariables } from "./report-variables.ts";

export interface RecordedBoot {
  /** The boot entry that is good from now on. */
  readonly blessed: string | undefined;
  /** The deployments that were given up before this one came up, and were not recorded yet. */
  readonly failed: readonly FailedBoot[];
}

export interface RecordBootOptions {
  readonly boot: Pick<CurrentBoot, "entry">;
  readonly now: Date;
}

/**
 * Takes the counter off the entry that was booted, as systemd-bless-boot does where it is installed; records the
 * deployments that used up their tries, and puts them at the end of the menu for readers that know nothing of counters, as
 * bootc. Images that are older than this one, by their rollback index, are refused from then on. Doing it again changes
 * nothing.
 *
 * @param places writable
 * @throws SealrootError as EntryStore.assess, writeFailedBoots, EntryStore.stage, recordRollbackIndex
 */
export async function recordBoot(places: HostPlaces, options: RecordBootOptions): Promise<RecordedBoot> {
  const { store } = entryStoreOf(places, "record this boot");
  const { physicalRoot } = places;
  const before = await readHost(places);
  const entry = triedEntry(before, options.boot);
  const blessed = entry === undefined ? undefined : store.assess(entry.fileName, "good");
  const host = blessed === undefined ? before : await readHost(places);
  const recorded = readFailedBoots(physicalRoot);
  const failed = unrecordedFailures(host, recorded, await readBootReports(places), options.now);
  const kept = recorded.filter(({ deploymentId }) => deploymentId !== host.booted?.deploymentId);
  if (failed.length > 0 || kept.length < recorded.length) writeFailedBoots(physicalRoot, [...failed, ...kept]);
  if (!store.hasStaged && isBadInFront(host)) {
    store.stage(menuFiles(sortedByAssessment(host.entries)));
    store.activate();
  }
  if (!host.entries.some((one) => assessmentOf(one.fileName) === "indeterminate")) {
    removeBootSlots(physicalRoot);
    if (places.efiVariables !== undefined) await removeReportVariables(places.efiVariables);
  }
  const { booted } = host;
  if (booted?.entry !== undefined && assessmentOf(booted.entry.fileName) === "good") {
    recordRollbackIndex(places, booted.image?.labels);
  }
  return { blessed, failed };
}

/** The entry that this boot is counted for; undefined when it is good already. */
function triedEntry({ booted }: Host, boot: RecordBootOptions["boot"]): StoredEntry | undefined {
  if (booted?.entry === undefined) return undefined;
  const { base, count } = parseCountedName(booted.entry.fileName);
  return count !== undefined && boot.entry?.toLowerCase() === base.toLowerCase() ? booted.entry : undefined;
}

/** Without the counters, an entry that failed comes before one that did not. */
function isBadInFront({ entries }: Host): boolean {
  const keys = (wanted: (assessment: BootAssessment) => boolean) =>
    entries.filter(({ fileName }) => wanted(assessmentOf(fileName))).map(({ entry }) => entry.sortKey ?? "");
  const [bad, others] = [keys((one) => one === "bad"), keys((one) => one !== "bad")];
  return bad.some((key) => others.some((other) => key < other));
}

function sortedByAssessment(entries: readonly StoredEntry[]): StoredEntry[] {
  const isBad = ({ fileName }: StoredEntry) => assessmentOf(fileName) === "bad";
  return [...entries.filter((entry) => !isBad(entry)), ...entries.filter(isBad)];
}
