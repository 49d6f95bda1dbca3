/** What streams and images need, as far as they can be read: for reports about a damaged repository. */
import { listErofsObjects } from "../../erofs/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { Repository } from "../repository.ts";

/**
 * The objects of streams and images with everything they lead to. What cannot be read counts itself, and what only it
 * would lead to is left out.
 *
 * @param entries.streams content ids, such as that of a manifest
 * @param entries.images image ids
 */
export function neededObjects(
  repository: Repository,
  entries: { readonly streams: readonly string[]; readonly images: readonly string[] },
): Set<string> {
  const needed = new Set<string>();
  for (const id of entries.images) {
    for (const file of readable(repository, id, listErofsObjects) ?? []) needed.add(file);
    needed.add(id);
  }
  const objectOf = new Map(repository.streams.entries().map(({ entry, objectId }) => [entry, objectId]));
  const visited = new Set<string>();
  const pending = entries.streams.flatMap((entry) => objectOf.get(entry) ?? []);
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    needed.add(id);
    if (visited.has(id)) continue;
    visited.add(id);
    const stream = readable(repository, id, (bytes) => readSplitStream(bytes, { algorithm: repository.algorithm }));
    for (const objectId of stream?.objectRefs ?? []) needed.add(objectId);
    pending.push(...(stream?.streamRefs ?? []));
  }
  return needed;
}

function readable<T>(repository: Repository, objectId: string, read: (bytes: Uint8Array) => T): T | undefined {
  try {
    return read(repository.objects.read(objectId));
  } catch {
    // Not there, damaged, or of the other kind: a check says which.
    return undefined;
  }
}
