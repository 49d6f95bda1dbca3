/** The worker threads of one repository or scan. */
import { availableParallelism } from "node:os";
import { WorkerPool } from "../../platform/index.ts";
import type { ObjectRequest, ObjectResponse } from "./jobs/object-jobs.ts";

export type ObjectWorkers = WorkerPool<ObjectRequest, ObjectResponse>;

/**
 * Threads start with their first work.
 * @param size as in WorkerPoolOptions
 */
export function newObjectWorkers(size = availableParallelism()): ObjectWorkers {
  return new WorkerPool<ObjectRequest, ObjectResponse>(new URL("./jobs/object-worker.ts", import.meta.url), { size });
}
