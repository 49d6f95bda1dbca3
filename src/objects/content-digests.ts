/** The sha256 of objects' contents, under which the rest of the world knows them; computed by worker threads. */

import { runBounded } from "../platform/index.ts";
import { answersTo } from "./answers.ts";
import type { ObjectSettings } from "./object-settings.ts";
import { helpWith, type ObjectWorkers } from "./object-workers.ts";
import { batchesOf } from "./under-way.ts";

/** An object to hash. */
export interface SizedObject {
  readonly objectId: string;
  readonly sizeBytes: number;
}

/** A batch is sent at this many bytes or objects. */
const BATCH_BYTES = 8 << 20;
const BATCH_OBJECTS = 256;

/**
 * Hashes many objects in parallel. Unreadable ones are left out.
 *
 * @param onBytes called with the bytes hashed so far
 * @returns object ids to sha256 in hex
 */
export async function contentDigests(
  settings: ObjectSettings,
  workers: ObjectWorkers,
  objects: Iterable<SizedObject>,
  onBytes: (doneBytes: number) => void,
): Promise<Map<string, string>> {
  const limits = { items: BATCH_OBJECTS, size: { max: BATCH_BYTES, of: ({ sizeBytes }: SizedObject) => sizeBytes } };
  let doneBytes = 0;
  const hashing = runBounded(batchesOf(objects, limits), 4 * workers.size, async (batch) => {
    const objectIds = batch.map(({ objectId }) => objectId);
    const digests = answersTo(objectIds, await workers.run("digest-contents", { settings, objectIds }));
    for (const { sizeBytes } of batch) doneBytes += sizeBytes;
    onBytes(doneBytes);
    return digests;
  });
  const found = await helpWith(workers, hashing);
  return new Map(found.flat().filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}
