/** Which references are affected by what is wrong, so that a report names images, not only objects. */
import { listErofsObjects } from "../../erofs/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { LinkStore } from "../link-store.ts";
import type { Repository } from "../repository.ts";
import type { FindingKind, FsckReport } from "./fsck-report.ts";

/**
 * The references that lead to anything broken or missing.
 *
 * @param broken ids of objects whose content is wrong; missing ones are found anyway
 * @returns paths relative to the repository, such as `streams/refs/oci/debian`
 */
export function findHitReferences(repository: Repository, broken: ReadonlySet<string>): string[] {
  const isBroken = (objectId: string) => broken.has(objectId) || !repository.objects.has(objectId);
  const streams = new StreamHits(repository, isBroken);
  return [
    ...hitReferences(repository.images, (id) => isBroken(id) || hasBrokenFiles(repository, id, isBroken)),
    ...hitReferences(repository.streams, (id) => streams.isHit(id)),
  ];
}

/** The objects that a report calls broken, and those of streams whose content does not match their name. */
export function brokenObjects(repository: Repository, report: FsckReport): Set<string> {
  const broken = new Set<string>();
  for (const { kind, path } of report.errors) {
    if (BROKEN_OBJECT.has(kind)) broken.add(path.replace(/^objects/, "").replaceAll("/", ""));
    if (kind !== "stream-content-mismatch") continue;
    const objectId = repository.streams.find(path.slice("streams/".length));
    if (objectId !== undefined) broken.add(objectId);
  }
  return broken;
}

const BROKEN_OBJECT: ReadonlySet<FindingKind> = new Set([
  "object-open-failed",
  "object-digest-mismatch",
  "object-verity-failed",
  "object-verity-missing",
]);

function hitReferences(links: LinkStore, isHit: (objectId: string) => boolean): string[] {
  const objectOf = new Map(links.entries().map(({ entry, objectId }) => [entry, objectId]));
  return links.references().flatMap(({ name, entry }) => {
    const objectId = objectOf.get(entry);
    return objectId === undefined || isHit(objectId) ? [`${links.kind}/refs/${name}`] : [];
  });
}

function hasBrokenFiles(repository: Repository, imageId: string, isBroken: (objectId: string) => boolean): boolean {
  try {
    return listErofsObjects(repository.objects.read(imageId)).some(isBroken);
  } catch {
    // Not readable, or not an image: the report says why elsewhere.
    return true;
  }
}

/** Follows streams to the objects and streams they need; each is read once, however many references share it. */
class StreamHits {
  readonly #repository: Repository;
  readonly #isBroken: (objectId: string) => boolean;
  readonly #streamObjects: ReadonlySet<string>;
  readonly #known = new Map<string, boolean>();

  constructor(repository: Repository, isBroken: (objectId: string) => boolean) {
    this.#repository = repository;
    this.#isBroken = isBroken;
    this.#streamObjects = new Set(repository.streams.entries().map(({ objectId }) => objectId));
  }

  isHit(streamId: string): boolean {
    const known = this.#known.get(streamId);
    if (known !== undefined) return known;
    // A stream can lead to itself only if contents do not match their names.
    this.#known.set(streamId, false);
    const hit = this.#isBroken(streamId) || this.#needsBroken(streamId);
    this.#known.set(streamId, hit);
    return hit;
  }

  #needsBroken(streamId: string): boolean {
    try {
      const bytes = this.#repository.objects.read(streamId);
      const { objectRefs, streamRefs } = readSplitStream(bytes, { algorithm: this.#repository.algorithm });
      if (objectRefs.some(this.#isBroken)) return true;
      return streamRefs.some((id) => (this.#streamObjects.has(id) ? this.isHit(id) : this.#isBroken(id)));
    } catch {
      return true;
    }
  }
}
