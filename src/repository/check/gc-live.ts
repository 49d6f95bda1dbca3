/** What references need: the marking half of garbage collection (spec/repository.md 6). */
import { listErofsObjects } from "../../erofs/index.ts";
import { asSealrootError, SealrootError } from "../../errors/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { LinkStore } from "../link-store.ts";
import type { Repository } from "../repository.ts";
import type { Finding } from "./fsck-report.ts";

interface LiveObjects {
  readonly live: ReadonlySet<string>;
  /** References that lead nowhere. */
  readonly notices: readonly Finding[];
}

/**
 * Follows all references, and the given entries, to the objects they need.
 *
 * A stream needs its own object, the objects of its chunks and those its names refer to; if such a name leads to
 * another stream, that one is followed too. An image needs its own object and those its files are in, if a reference of
 * images leads to it; a container's image is reached by name, and its layers' streams keep the files.
 *
 * @throws SealrootError `corrupt` when a stream or image in use cannot be read
 */
export function findLiveObjects(
  repository: Repository,
  roots: readonly string[],
  dropped: readonly string[] = [],
): LiveObjects {
  const live = new Set<string>();
  const notices: Finding[] = [];
  for (const objectId of rootObjects(repository, repository.images, { roots, dropped: [] }, notices)) {
    live.add(objectId);
    for (const file of readLive(repository, objectId, listErofsObjects)) live.add(file);
  }
  const streamObjects = new Set(repository.streams.entries().map(({ objectId }) => objectId));
  const pending = rootObjects(repository, repository.streams, { roots, dropped }, notices);
  const visited = new Set<string>();
  for (let objectId = pending.pop(); objectId !== undefined; objectId = pending.pop()) {
    if (visited.has(objectId)) continue;
    visited.add(objectId);
    live.add(objectId);
    const { objectRefs, streamRefs } = readLive(repository, objectId, (bytes) =>
      readSplitStream(bytes, { algorithm: repository.algorithm }),
    );
    for (const id of [...objectRefs, ...streamRefs]) live.add(id);
    pending.push(...streamRefs.filter((id) => streamObjects.has(id)));
  }
  return { live, notices };
}

function rootObjects(
  repository: Repository,
  links: LinkStore,
  { roots, dropped }: { readonly roots: readonly string[]; readonly dropped: readonly string[] },
  notices: Finding[],
): string[] {
  const ignored = new Set(dropped);
  const objectOf = new Map(links.entries().map(({ entry, objectId }) => [entry, objectId]));
  const found: string[] = [];
  const follow = (entry: string, path: string) => {
    const objectId = objectOf.get(entry);
    if (objectId !== undefined && repository.objects.has(objectId)) found.push(objectId);
    else notices.push({ kind: "broken-symlink", path, detail: entry });
  };
  for (const { name, entry } of links.references()) {
    if (!ignored.has(name)) follow(entry, `${links.kind}/refs/${name}`);
  }
  for (const root of roots) if (objectOf.has(root)) follow(root, `${links.kind}/${root}`);
  return found;
}

function readLive<T>(repository: Repository, objectId: string, read: (bytes: Uint8Array) => T): T {
  try {
    return read(repository.objects.read(objectId));
  } catch (error) {
    const cause = asSealrootError(error, "Cannot read it");
    throw new SealrootError(
      "corrupt",
      `Cannot collect garbage: object ${objectId} is in use and cannot be read, nothing was deleted: ${cause.message}`,
      { path: repository.objects.path(objectId), hint: "run repo fsck; pull the image again or remove its reference" },
      error,
    );
  }
}
