/** Checking a whole repository (spec/repository.md 7). */
import { lstatSync } from "node:fs";
import { relative } from "node:path";
import { reasonOf } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter, silent } from "../events/index.ts";
import { checkImages } from "./fsck-images.ts";
import { findLeftovers } from "./fsck-leftovers.ts";
import { type CheckedLinks, checkLinks } from "./fsck-links.ts";
import type { Finding, FsckReport } from "./fsck-report.ts";
import { checkStreams } from "./fsck-streams.ts";
import { META_FILE } from "./names.ts";
import { readMeta } from "./open.ts";
import type { Repository } from "./repository.ts";

export interface FsckOptions {
  /** Leave out what reads all data: contents of objects, and contents of streams. */
  readonly metadataOnly?: boolean;
  /** Leave out the contents of objects only: a check just before has read them. */
  readonly withoutObjects?: boolean;
  readonly events?: EventSink;
}

/** A batch of objects is sent at this many bytes or objects. */
const BATCH_BYTES = 8 << 20;
const BATCH_OBJECTS = 256;

/** Checks everything and changes nothing. Objects are hashed in parallel. */
export async function checkRepository(repository: Repository, options: FsckOptions = {}): Promise<FsckReport> {
  const events = options.events ?? silent;
  const metadata = await runStep(events, "check meta.json", () => checkMeta(repository));
  const streamLinks = checkLinks(repository.path, "streams", repository.algorithm);
  // Workers hash the objects while this thread reassembles the streams.
  const [objects, streamFindings] = await Promise.all([
    options.metadataOnly === true || options.withoutObjects === true
      ? { checked: 0, findings: [] }
      : runStep(events, "check objects", (reporter) => checkAllObjects(repository, reporter)),
    runStep(events, "check streams", (reporter) =>
      checkStreams(repository, streamLinks.entries, { contents: options.metadataOnly !== true, reporter }),
    ),
  ]);
  const imageLinks = checkLinks(repository.path, "images", repository.algorithm);
  const imageFindings = await runStep(events, "check images", () => checkImages(repository, imageLinks.entries));
  const streams = [...streamLinks.findings, ...streamFindings].sort(byPath);
  const images = [...imageLinks.findings, ...imageFindings].sort(byPath);
  const errors = [...metadata, ...objects.findings, ...streams, ...images];
  return {
    metadata: metadata.length === 0 ? "ok" : "error",
    objectsChecked: objects.checked,
    objectsCorrupted: objects.findings.length,
    ...countLinks("streams", streamLinks, streams),
    ...countLinks("images", imageLinks, images),
    brokenLinks: errors.filter(({ kind }) => kind === "broken-symlink").length,
    missingObjects: errors.filter(({ kind }) => MISSING_KINDS.has(kind)).length,
    errors,
    leftovers: findLeftovers(repository),
  };
}

const MISSING_KINDS: ReadonlySet<Finding["kind"]> = new Set([
  "missing-object-ref",
  "missing-named-ref",
  "image-missing-object",
]);

function countLinks<Kind extends "streams" | "images">(
  kind: Kind,
  links: CheckedLinks,
  findings: readonly Finding[],
): Record<`${Kind}Checked` | `${Kind}Corrupted`, number> {
  const bad = new Set(findings.map(({ path }) => path).filter((path) => links.topLevel.has(path)));
  return { [`${kind}Checked`]: links.topLevel.size, [`${kind}Corrupted`]: bad.size } as Record<
    `${Kind}Checked` | `${Kind}Corrupted`,
    number
  >;
}

function checkMeta(repository: Repository): Finding[] {
  try {
    const read = readMeta(repository.path, { offlineVerity: repository.protection === "offline" });
    if (read === undefined) return [{ kind: "metadata-parse-failed", path: META_FILE, detail: "it is gone" }];
    if (read.meta.algorithm === repository.algorithm) return [];
    return [{ kind: "metadata-algorithm-mismatch", path: META_FILE, detail: read.meta.algorithm }];
  } catch (error) {
    return [{ kind: "metadata-parse-failed", path: META_FILE, detail: reasonOf(error) }];
  }
}

async function checkAllObjects(
  repository: Repository,
  reporter: StepReporter,
): Promise<{ checked: number; findings: Finding[] }> {
  const findings: Finding[] = [];
  const underWay = new Set<Promise<void>>();
  let checked = 0;
  let done = 0;
  let batch: string[] = [];
  let batchBytes = 0;
  const send = () => {
    const objectIds = batch;
    batch = [];
    batchBytes = 0;
    const request = { kind: "check-objects", settings: repository.objects.settings, objectIds } as const;
    const answer: Promise<void> = repository.workers.run(request).then((response) => {
      underWay.delete(answer);
      done += objectIds.length;
      reporter.progress(done, undefined, "items");
      if (response.kind !== "checked") return;
      for (const [index, fault] of response.faults.entries()) {
        const path = relative(repository.path, repository.objects.path(objectIds[index] ?? ""));
        if (fault !== undefined) findings.push({ ...fault, path });
      }
    });
    underWay.add(answer);
  };
  for (const { objectId, path, kind } of repository.objects.entries()) {
    checked++;
    if (objectId === undefined || kind !== "file") {
      findings.push({ kind: "object-invalid-name", path: relative(repository.path, path) });
      continue;
    }
    batch.push(objectId);
    batchBytes += lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (batchBytes >= BATCH_BYTES || batch.length >= BATCH_OBJECTS) send();
    if (underWay.size >= 4 * repository.workers.size) await Promise.race(underWay);
  }
  if (batch.length > 0) send();
  await Promise.all(underWay);
  return { checked, findings: findings.sort(byPath) };
}

function byPath(a: Finding, b: Finding): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
