/** Checking a whole repository (spec/repository.md 7). */
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

/** A batch is sent at this many objects: some milliseconds of work, so that the last ones end nearly together. */
const BATCH_OBJECTS = 64;

/** Checks everything and changes nothing. Objects are hashed in parallel. */
export async function checkRepository(repository: Repository, options: FsckOptions = {}): Promise<FsckReport> {
  const events = options.events ?? silent;
  const metadata = await runStep(events, "check meta.json", () => checkMeta(repository));
  const streamLinks = checkLinks(repository.path, "streams", repository.algorithm);
  const listing = listObjects(repository);
  const hasObject = (objectId: string) => listing.objectIds.has(objectId);
  // Workers hash the objects while this thread reassembles the streams.
  const [objects, streamFindings] = await Promise.all([
    options.metadataOnly === true || options.withoutObjects === true
      ? { checked: 0, findings: [] }
      : runStep(events, "check objects", (reporter) => checkAllObjects(repository, listing, reporter)),
    runStep(events, "check streams", (reporter) =>
      checkStreams(repository, streamLinks.entries, { contents: options.metadataOnly !== true, hasObject, reporter }),
    ),
  ]);
  const imageLinks = checkLinks(repository.path, "images", repository.algorithm);
  const imageFindings = await runStep(events, "check images", () =>
    checkImages(repository, imageLinks.entries, hasObject),
  );
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

interface ObjectListing {
  /** A look here costs a fiftieth of one at the file system, and images name every object. */
  readonly objectIds: ReadonlySet<string>;
  readonly findings: readonly Finding[];
}

function listObjects(repository: Repository): ObjectListing {
  const objectIds = new Set<string>();
  const findings: Finding[] = [];
  for (const { objectId, path, kind } of repository.objects.entries()) {
    if (objectId !== undefined && kind === "file") objectIds.add(objectId);
    else findings.push({ kind: "object-invalid-name", path: relative(repository.path, path) });
  }
  return { objectIds, findings };
}

async function checkAllObjects(
  repository: Repository,
  listing: ObjectListing,
  reporter: StepReporter,
): Promise<{ checked: number; findings: Finding[] }> {
  const findings = [...listing.findings];
  const underWay = new Set<Promise<void>>();
  let done = 0;
  const send = (objectIds: readonly string[]) => {
    const request = { kind: "check-objects", settings: repository.objects.settings, objectIds } as const;
    const answer: Promise<void> = repository.workers.run(request).then((response) => {
      underWay.delete(answer);
      done += objectIds.length;
      reporter.progress(done, listing.objectIds.size, "items");
      if (response.kind !== "checked") return;
      for (const [index, fault] of response.faults) {
        findings.push({ ...fault, path: relative(repository.path, repository.objects.path(objectIds[index] ?? "")) });
      }
    });
    underWay.add(answer);
  };
  let batch: string[] = [];
  for (const objectId of listing.objectIds) {
    batch.push(objectId);
    if (batch.length < BATCH_OBJECTS) continue;
    send(batch);
    batch = [];
    if (underWay.size >= 4 * repository.workers.size) await Promise.race(underWay);
  }
  if (batch.length > 0) send(batch);
  await Promise.all(underWay);
  return { checked: listing.objectIds.size + listing.findings.length, findings: findings.sort(byPath) };
}

function byPath(a: Finding, b: Finding): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
