/**
 * Garbage collection of a host (spec/host-lifecycle.md 5.3): boot files, state directories and images that no deployment
 * has. What is in use is found first; every item is removed by itself, so that one that cannot be hides no other.
 */
import { removeFromEsp } from "../../bootloader/index.ts";
import { removeStagedRecord } from "../../deployment/index.ts";
import { asSealrootError } from "../../errors/index.ts";
import { type EventSink, runStep } from "../../events/index.ts";
import type { HostProblem } from "../host.ts";
import { type HostPlaces, placeOfBootFile } from "../host-places.ts";
import { garbageBootFiles } from "./boot-files.ts";
import { collectImages, type ImageCollection } from "./garbage-images.ts";
import { garbageState } from "./garbage-state.ts";
import { findInUse } from "./in-use.ts";
import { type PlannedItem, removeItems } from "./item.ts";

export interface CollectHostOptions {
  /** Nothing is changed; the outcome is what it would be, to the byte, if nobody else changes the host meanwhile. */
  readonly dryRun: boolean;
  /** `boot`: only boot files, in no time; needs no repository. */
  readonly scope: "all" | "boot";
  /** How long to wait for other users of the repository, such as pulls; forever if absent. */
  readonly lockTimeoutMs?: number;
  /** What a soft reboot would start: nextRootImage(). It stays. */
  readonly preparedImage: string | undefined;
  readonly events: EventSink;
}

/** What was removed or, in a dry run, would have been. */
export interface HostCollection {
  readonly dryRun: boolean;
  /** Below the boot directory. */
  readonly bootFiles: readonly PlannedItem[];
  /** Below the physical root. */
  readonly state: readonly PlannedItem[];
  /** What `/run` called staged, although no staged entry starts it. */
  readonly staleRecord: string | undefined;
  /** Undefined where it was not asked for, or a problem says why. */
  readonly images: ImageCollection | undefined;
  /** What could not be read, with everything it could lead to kept, and what could not be removed. */
  readonly problems: readonly HostProblem[];
  /** Some of the problems kept something from being removed. */
  readonly isIncomplete: boolean;
  /** Of all files. */
  readonly bytes: number;
}

/**
 * Removes what nothing on the host leads to. The caller holds the host's lock.
 *
 * @throws SealrootError as findInUse; everything else is a problem of the outcome
 */
export async function collectHost(places: HostPlaces, options: CollectHostOptions): Promise<HostCollection> {
  const { dryRun, scope, events } = options;
  const { inUse, plan } = await runStep(events, "find what is in use", () => {
    const found = findInUse(places, options.preparedImage);
    const state = scope === "all" ? garbageState(places, found) : [];
    return { inUse: found, plan: { bootFiles: garbageBootFiles(places, found), state } };
  });
  const failures: HostProblem[] = [];
  const done = dryRun
    ? plan
    : await runStep(events, "remove what nothing leads to", () => {
        if (inUse.staleRecord !== undefined) removeStagedRecord(places.runDirectory);
        return {
          bootFiles: removeBootFiles(places, plan.bootFiles, failures),
          state: removeItems(places.physicalRoot, plan.state, failures),
        };
      });
  const unclear: HostProblem[] = [];
  const images = scope === "all" ? await tryImages(places, inUse, { unclear, failures }, options) : undefined;
  const { report } = images ?? {};
  for (const { path, error } of report?.failures ?? []) failures.push({ subject: path, error });
  return {
    ...done,
    ...{ dryRun, images },
    staleRecord: inUse.staleRecord,
    problems: [...inUse.problems, ...unclear, ...failures],
    isIncomplete: inUse.isUnclear || failures.length > 0,
    bytes: sum(done.bootFiles) + sum(done.state) + (report?.objectsBytes ?? 0),
  };
}

/** They may be in two file systems. */
function removeBootFiles(
  places: HostPlaces,
  items: readonly PlannedItem[],
  failures: HostProblem[],
): readonly PlannedItem[] {
  const removed = items.flatMap((item) => {
    const directory = placeOfBootFile(places, item.path)?.directory ?? "";
    return removeItems(directory, [item], failures, removeFromEsp);
  });
  return removed;
}

async function tryImages(
  places: HostPlaces,
  inUse: ReturnType<typeof findInUse>,
  { unclear, failures }: { readonly unclear: HostProblem[]; readonly failures: HostProblem[] },
  { dryRun, events, lockTimeoutMs }: CollectHostOptions,
): Promise<ImageCollection | undefined> {
  try {
    return await collectImages(places, inUse, unclear, { dryRun, events, lockTimeoutMs });
  } catch (error) {
    failures.push({ subject: "repository", error: asSealrootError(error, "Cannot collect garbage in the repository") });
    return undefined;
  }
}

function sum(items: readonly PlannedItem[]): number {
  return items.reduce((total, { bytes }) => total + bytes, 0);
}

/** True when nothing was removed, or would be. */
export function isNoOp({ bootFiles, state, staleRecord, images }: HostCollection): boolean {
  return bootFiles.length + state.length + (images?.report.paths.length ?? 0) === 0 && staleRecord === undefined;
}
