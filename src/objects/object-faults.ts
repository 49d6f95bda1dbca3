/** Objects compared with their names, by worker threads. */
import { runBounded } from "../platform/index.ts";
import { answersTo } from "./answers.ts";
import type { ObjectFault } from "./jobs/check-objects.ts";
import type { ObjectSettings } from "./object-settings.ts";
import { helpWith, type ObjectWorkers } from "./object-workers.ts";
import { batchesOf } from "./under-way.ts";

/** A batch is sent at this many objects: some milliseconds of work, so that the last ones end nearly together. */
const BATCH_OBJECTS = 64;

/**
 * Hashes objects in parallel and compares them with their names.
 *
 * @param onChecked called with the number of objects that were checked since the last call
 * @returns those that are not what their names say, and what is wrong with each
 */
export async function objectFaults(
  settings: ObjectSettings,
  workers: ObjectWorkers,
  objectIds: Iterable<string>,
  onChecked: (objects: number) => void,
): Promise<(readonly [objectId: string, fault: ObjectFault])[]> {
  const batches = batchesOf(objectIds, { items: BATCH_OBJECTS });
  const checking = runBounded(batches, 4 * workers.size, async (batch) => {
    const faults = answersTo(batch, await workers.run("check-objects", { settings, objectIds: batch }));
    onChecked(batch.length);
    return faults;
  });
  const found = await helpWith(workers, checking);
  return found.flat().filter((pair): pair is readonly [string, ObjectFault] => pair[1] !== undefined);
}
