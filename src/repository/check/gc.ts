/** Garbage collection: deletes whatever no reference leads to (spec/repository.md 6). */
import { lstatSync, rmdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { asSealrootError, oneLine, SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import type { Repository } from "../repository.ts";
import { withExclusiveLock } from "./exclusive-lock.ts";
import { type Finding, findingText } from "./fsck-report.ts";
import { type GcPlan, planCollection, plannedPaths } from "./gc-plan.ts";

export interface GcOptions {
  /** Entries of streams or images to keep besides those that references lead to. */
  readonly roots?: readonly string[];
  /** References of streams, by their names below `refs/`, that are removed first and lead to nothing any more. */
  readonly dropped?: readonly string[];
  /** Only report, change nothing. */
  readonly dryRun?: boolean;
  /** How long to wait for other users of the repository; forever if absent. */
  readonly lockTimeoutMs?: number;
  readonly events?: EventSink;
}

/** What was deleted or, in a dry run, would have been. */
export interface GcReport {
  readonly objectsRemoved: number;
  readonly objectsBytes: number;
  readonly imagesPruned: number;
  readonly streamsPruned: number;
  readonly leftoversRemoved: number;
  /** Stray files that were skipped. */
  readonly notices: readonly Finding[];
  /** What could not be deleted, by its path in the repository; the rest was. */
  readonly failures: readonly GcFailure[];
  /** Everything deleted, by its path in the repository, in order of deletion. */
  readonly paths: readonly string[];
}

export interface GcFailure {
  readonly path: string;
  readonly error: SealrootError;
}

/**
 * Deletes links that lead nowhere or to what no reference needs, then the objects that no reference needs, then
 * temporaries of dead processes and empty directories. Waits until nobody else has the repository open; afterwards the
 * shared lock is held again. Stray files and dangling references are reported and skipped, and so is what cannot be deleted.
 *
 * @throws SealrootError `corrupt`, before anything is deleted, when something in use cannot be read, so that its needs
 *   are unknown; `timeout` when others keep the repository open
 */
export async function collectGarbage(repository: Repository, options: GcOptions = {}): Promise<GcReport> {
  const events = options.events ?? silent;
  const find = () => planCollection(repository, options.roots ?? [], options.dropped ?? []);
  if (options.dryRun === true) return reportOf(await runStep(events, "find what is in use", find), []);
  const { lockTimeoutMs } = options;
  return withExclusiveLock(repository, { purpose: "collect garbage in", lockTimeoutMs, events }, async () => {
    const plan = await runStep(events, "find what is in use", find);
    return runStep(events, "delete the rest", () => carryOut(repository, plan));
  });
}

/**
 * References go before the links they lead to, and links before the objects they lead to, with a sync between: after a
 * crash or a power cut, no name leads nowhere. Objects left over have no name, and the next run finds them. For the same
 * reason all objects stay when a name stays.
 */
function carryOut(repository: Repository, plan: GcPlan): GcReport {
  const failures: GcFailure[] = [];
  const remove = (relative: string, how: (path: string) => void) => {
    const path = join(repository.path, relative);
    try {
      how(path);
    } catch (error) {
      failures.push({ path: relative, error: asSealrootError(error, `Cannot delete ${relative}`, { path }) });
    }
  };
  for (const reference of plan.references) remove(reference, unlinkSync);
  for (const link of failures.length > 0 ? [] : [...plan.imageLinks, ...plan.streamLinks]) remove(link, unlinkSync);
  repository.sync();
  const isNamed = failures.length > 0;
  for (const object of isNamed ? [] : plan.objects) remove(object, unlinkSync);
  for (const leftover of plan.leftovers) remove(leftover, unlinkSync);
  const full = new Set(failures.map(({ path }) => dirname(path)));
  const empty = isNamed ? [] : plan.emptyDirectories.filter((path) => !full.has(path));
  for (const directory of empty) remove(directory, rmdirSync);
  repository.sync();
  if (failures.length === 0) return reportOf(plan, failures);
  return reportOf(withoutRemaining(repository, plan), failures);
}

/** The part of a plan that was carried out. */
function withoutRemaining(repository: Repository, plan: GcPlan): GcPlan {
  let remainingBytes = 0;
  const isGone = (relative: string) => {
    const left = lstatSync(join(repository.path, relative), { throwIfNoEntry: false });
    if (left?.isFile() === true) remainingBytes += left.size;
    return left === undefined;
  };
  const objects = plan.objects.filter(isGone);
  const objectsBytes = plan.objectsBytes - remainingBytes;
  return {
    ...plan,
    ...{ objects, objectsBytes },
    references: plan.references.filter(isGone),
    imageLinks: plan.imageLinks.filter(isGone),
    streamLinks: plan.streamLinks.filter(isGone),
    leftovers: plan.leftovers.filter(isGone),
    emptyDirectories: plan.emptyDirectories.filter(isGone),
  };
}

function reportOf(plan: GcPlan, failures: readonly GcFailure[]): GcReport {
  return {
    objectsRemoved: plan.objects.length,
    objectsBytes: plan.objectsBytes,
    imagesPruned: plan.imageLinks.length,
    streamsPruned: plan.streamLinks.length,
    leftoversRemoved: plan.leftovers.length,
    notices: plan.notices,
    failures,
    paths: plannedPaths(plan),
  };
}

/** @throws SealrootError `failed` when something could not be deleted */
export function refuseFailures({ failures }: Pick<GcReport, "failures">): void {
  const [first] = failures;
  if (first === undefined) return;
  const what = failures.length === 1 ? first.path : `${failures.length} files, the first of them ${first.path}`;
  throw new SealrootError("failed", `Cannot delete ${what}: the rest is deleted`, {
    ...{ path: first.path, actual: first.error.message },
    hint: "see to the reason, and run it again",
  });
}

/** The lines of the reference's text form, followed by what was skipped. */
export function gcLines(report: GcReport, dryRun: boolean): string[] {
  const { imagesPruned, streamsPruned } = report;
  const pruned = imagesPruned + streamsPruned > 0;
  return [
    ...(dryRun ? ["Dry run (no files deleted):"] : []),
    `Objects: ${report.objectsRemoved} removed (${report.objectsBytes} bytes)`,
    ...(pruned ? [`Pruned symlinks: ${imagesPruned} images, ${streamsPruned} streams`] : []),
    ...(report.leftoversRemoved > 0 ? [`Temporary files: ${report.leftoversRemoved} removed`] : []),
    ...report.notices.map((notice) => oneLine(`Skipped ${findingText(notice)}`)),
  ];
}
