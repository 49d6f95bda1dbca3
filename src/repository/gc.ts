/** Garbage collection: whatever no reference leads to goes (spec/repository.md 6). */
import { lstatSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { oneLine, SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, silent } from "../events/index.ts";
import { findLeftovers } from "./fsck.ts";
import { checkLinks } from "./fsck-links.ts";
import { type Finding, findingText } from "./fsck-report.ts";
import { findLiveObjects } from "./gc-live.ts";
import type { LinkKind } from "./names.ts";
import { sortedEntries } from "./object-store.ts";
import type { Repository } from "./repository.ts";

export interface GcOptions {
  /** Entries of streams or images to keep besides those that references lead to. */
  readonly roots?: readonly string[];
  /** Find out and change nothing. */
  readonly dryRun?: boolean;
  /** How long to wait for other users of the repository; without end when absent. */
  readonly lockTimeoutMs?: number;
  readonly events?: EventSink;
}

export interface GcReport {
  readonly objectsRemoved: number;
  readonly objectsBytes: number;
  readonly imagesPruned: number;
  readonly streamsPruned: number;
  readonly leftoversRemoved: number;
  /** What is not as it should be and was stepped over. */
  readonly notices: readonly Finding[];
}

/**
 * Deletes objects that no reference needs, then links that lead nowhere, then temporaries of dead processes and empty
 * directories. Waits until nobody else has the repository open; afterwards the shared lock is held again. Rubbish (a
 * dangling reference, a stray file) is reported and left alone. A crash in the middle leaves at worst a dangling link,
 * which the next run removes.
 *
 * @throws SealrootError `corrupt`, before anything is deleted, when something that is in use cannot be read, so that it
 *   cannot be known what it needs; `timeout` when others keep the repository open
 */
export async function collectGarbage(repository: Repository, options: GcOptions = {}): Promise<GcReport> {
  const events = options.events ?? silent;
  const dryRun = options.dryRun === true;
  if (dryRun) return collect(repository, options, events);
  repository.assertWritable();
  try {
    const locked = await runStep(events, "wait for other users", () =>
      repository.lock("exclusive", options.lockTimeoutMs),
    );
    if (!locked) {
      throw new SealrootError(
        "timeout",
        `Cannot collect garbage in ${repository.path}: others have the repository open`,
        {
          path: repository.path,
        },
      );
    }
    return await collect(repository, options, events);
  } finally {
    await repository.lock("shared");
  }
}

async function collect(repository: Repository, options: GcOptions, events: EventSink): Promise<GcReport> {
  const dryRun = options.dryRun === true;
  const { live, notices } = await runStep(events, "find what is in use", () =>
    findLiveObjects(repository, options.roots ?? []),
  );
  const removed = new Set<string>();
  const strays: Finding[] = [];
  let objectsBytes = 0;
  await runStep(events, "delete objects", () => {
    for (const { objectId, path, kind } of repository.objects.entries()) {
      if (objectId === undefined || kind !== "file") {
        strays.push({ kind: "object-invalid-name", path: relative(repository.path, path) });
        continue;
      }
      if (live.has(objectId)) continue;
      objectsBytes += lstatSync(path).size;
      removed.add(objectId);
      if (!dryRun) unlinkSync(path);
    }
  });
  const prune = (kind: LinkKind) => pruneLinks(repository, kind, removed, dryRun);
  const [imagesPruned, streamsPruned] = [prune("images"), prune("streams")];
  const leftovers = findLeftovers(repository);
  if (!dryRun) {
    for (const { path } of leftovers) rmSync(join(repository.path, path), { force: true });
    removeEmptyDirectories(repository);
    repository.sync();
  }
  return {
    objectsRemoved: removed.size,
    objectsBytes,
    imagesPruned,
    streamsPruned,
    leftoversRemoved: leftovers.length,
    notices: [...notices, ...strays],
  };
}

/** Removes links whose object is gone, or would be; then references whose entry is. @returns how many */
function pruneLinks(repository: Repository, kind: LinkKind, removed: ReadonlySet<string>, dryRun: boolean): number {
  const { entries, findings } = checkLinks(repository.path, kind, repository.algorithm);
  const dangling = findings.filter((finding) => finding.kind === "broken-symlink").map(({ path }) => path);
  const emptied = entries.filter(({ objectId }) => removed.has(objectId)).map(({ entry }) => join(kind, entry));
  const gone = new Set([...dangling, ...emptied]);
  // References to entries that only now lose their object: none leads there, or the object would be in use.
  if (!dryRun) for (const path of gone) unlinkSync(join(repository.path, path));
  return gone.size;
}

function removeEmptyDirectories(repository: Repository): void {
  const { directory } = repository.objects.settings;
  for (const child of sortedEntries(directory)) {
    const path = join(directory, child.name);
    if (/^[0-9a-f]{2}$/.test(child.name) && child.isDirectory() && sortedEntries(path).length === 0) rmdirSync(path);
  }
}

/** The lines of the reference's text form, with what was stepped over behind them. */
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
