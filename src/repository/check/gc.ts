/** Garbage collection: deletes whatever no reference leads to (spec/repository.md 6). */
import { rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { oneLine } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import type { Repository } from "../repository.ts";
import { withExclusiveLock } from "./exclusive-lock.ts";
import { type Finding, findingText } from "./fsck-report.ts";
import { type GcPlan, planCollection, plannedPaths } from "./gc-plan.ts";

export interface GcOptions {
  /** Entries of streams or images to keep besides those that references lead to. */
  readonly roots?: readonly string[];
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
  /** Everything deleted, by its path in the repository, in order of deletion. */
  readonly paths: readonly string[];
}

/**
 * Deletes links that lead nowhere or to what no reference needs, then the objects that no reference needs, then
 * temporaries of dead processes and empty directories. Waits until nobody else has the repository open; afterwards the
 * shared lock is held again. Stray files and dangling references are reported and skipped.
 *
 * @throws SealrootError `corrupt`, before anything is deleted, when something in use cannot be read, so that its needs
 *   are unknown; `timeout` when others keep the repository open
 */
export async function collectGarbage(repository: Repository, options: GcOptions = {}): Promise<GcReport> {
  const events = options.events ?? silent;
  const find = () => planCollection(repository, options.roots ?? []);
  if (options.dryRun === true) return reportOf(await runStep(events, "find what is in use", find));
  const { lockTimeoutMs } = options;
  return withExclusiveLock(repository, { purpose: "collect garbage in", lockTimeoutMs, events }, async () => {
    const plan = await runStep(events, "find what is in use", find);
    await runStep(events, "delete the rest", () => carryOut(repository, plan));
    return reportOf(plan);
  });
}

/**
 * Links go before the objects they lead to, with a sync between: after a crash or a power cut, no name leads nowhere.
 * Objects left over have no name, and the next run finds them.
 */
function carryOut(repository: Repository, plan: GcPlan): void {
  const pathOf = (relative: string) => join(repository.path, relative);
  for (const link of [...plan.imageLinks, ...plan.streamLinks]) unlinkSync(pathOf(link));
  repository.sync();
  for (const object of plan.objects) unlinkSync(pathOf(object));
  for (const leftover of plan.leftovers) unlinkSync(pathOf(leftover));
  for (const directory of plan.emptyDirectories) rmdirSync(pathOf(directory));
  repository.sync();
}

function reportOf(plan: GcPlan): GcReport {
  return {
    objectsRemoved: plan.objects.length,
    objectsBytes: plan.objectsBytes,
    imagesPruned: plan.imageLinks.length,
    streamsPruned: plan.streamLinks.length,
    leftoversRemoved: plan.leftovers.length,
    notices: plan.notices,
    paths: plannedPaths(plan),
  };
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
