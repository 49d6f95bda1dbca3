/** Checking a whole repository (spec/repository.md 7). */
import { reasonOf } from "../../errors/index.ts";
import { type EventSink, runStep, silent } from "../../events/index.ts";
import { META_FILE } from "../names.ts";
import { readMeta } from "../open/open.ts";
import type { Repository } from "../repository.ts";
import { checkContents } from "./fsck-contents.ts";
import { checkImages } from "./fsck-images.ts";
import { findLeftovers } from "./fsck-leftovers.ts";
import { type CheckedLinks, checkLinks } from "./fsck-links.ts";
import { listObjects } from "./fsck-objects.ts";
import type { Finding, FsckReport } from "./fsck-report.ts";

export interface FsckOptions {
  /** Skip what reads all data: contents of objects and of streams. */
  readonly metadataOnly?: boolean;
  /** Skip only the contents of objects: a check just before has read them. */
  readonly withoutObjects?: boolean;
  /** Skip only the contents of streams, as cfsctl does: what they are made of is checked as objects. */
  readonly withoutStreamContents?: boolean;
  readonly events?: EventSink;
}

/** Checks everything and changes nothing. Objects are hashed in parallel. */
export async function checkRepository(repository: Repository, options: FsckOptions = {}): Promise<FsckReport> {
  const events = options.events ?? silent;
  const metadata = await runStep(events, "check meta.json", () => checkMeta(repository));
  const streamLinks = checkLinks(repository.path, "streams", repository.algorithm);
  const listing = listObjects(repository);
  // It takes about as long to load as the images take to be looked at.
  if (options.metadataOnly !== true && listing.objectIds.size > OBJECTS_HERE_MAX) repository.workers.prepare();
  const hasObject = (objectId: string) => listing.objectIds.has(objectId);
  const imageLinks = checkLinks(repository.path, "images", repository.algorithm);
  const imageFindings = await runStep(events, "check images", () =>
    checkImages(repository, imageLinks.entries, hasObject),
  );
  const contents = await checkContents(repository, streamLinks.entries, listing.objectIds, options);
  const withObjects = options.metadataOnly !== true && options.withoutObjects !== true;
  const objects = withObjects ? [...listing.findings, ...contents.objects].sort(byPath) : [];
  const streams = [...streamLinks.findings, ...contents.streams].sort(byPath);
  const images = [...imageLinks.findings, ...imageFindings].sort(byPath);
  const errors = [...metadata, ...objects, ...streams, ...images];
  return {
    metadata: metadata.length === 0 ? "ok" : "error",
    objectsChecked: withObjects ? listing.objectIds.size + listing.findings.length : 0,
    objectsCorrupted: objects.length,
    ...countLinks("streams", streamLinks, streams),
    ...countLinks("images", imageLinks, images),
    brokenLinks: errors.filter(({ kind }) => kind === "broken-symlink").length,
    missingObjects: errors.filter(({ kind }) => MISSING_KINDS.has(kind)).length,
    errors,
    leftovers: findLeftovers(repository),
  };
}

/** Fewer objects are checked sooner than a worker is there. */
const OBJECTS_HERE_MAX = 500;

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

function byPath(a: Finding, b: Finding): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
