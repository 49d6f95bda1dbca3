/** The sha256 of objects' contents, under which the rest of the world knows them; computed by worker threads. */
import { answersTo } from "./answers.ts";
import type { ObjectSettings } from "./object-settings.ts";
import type { ObjectWorkers } from "./object-workers.ts";

/** An object to hash. */
export interface SizedObject {
  readonly objectId: string;
  readonly sizeBytes: number;
}

/** A batch is sent at this many bytes or objects. */
const BATCH_BYTES = 8 << 20;
const BATCH_OBJECTS = 256;

/**
 * Hashes many objects in parallel. Those that cannot be read are left out.
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
  const digests = new Map<string, string>();
  const underWay = new Set<Promise<void>>();
  let doneBytes = 0;
  const send = ({ objectIds, batchBytes }: Batch) => {
    const answer: Promise<void> = workers.run("digest-contents", { settings, objectIds }).then((answers) => {
      underWay.delete(answer);
      for (const [objectId, digest] of answersTo(objectIds, answers)) {
        if (digest !== undefined) digests.set(objectId, digest);
      }
      doneBytes += batchBytes;
      onBytes(doneBytes);
    });
    underWay.add(answer);
  };
  for (const batch of batches(objects)) {
    send(batch);
    if (underWay.size >= 4 * workers.size) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return digests;
}

interface Batch {
  readonly objectIds: string[];
  batchBytes: number;
}

function* batches(objects: Iterable<SizedObject>): Generator<Batch> {
  let batch: Batch = { objectIds: [], batchBytes: 0 };
  for (const { objectId, sizeBytes } of objects) {
    batch.objectIds.push(objectId);
    batch.batchBytes += sizeBytes;
    if (batch.batchBytes < BATCH_BYTES && batch.objectIds.length < BATCH_OBJECTS) continue;
    yield batch;
    batch = { objectIds: [], batchBytes: 0 };
  }
  if (batch.objectIds.length > 0) yield batch;
}
