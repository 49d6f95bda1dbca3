/** The worker threads of one repository or scan. */
import { availableParallelism } from "node:os";
import { WorkerPool } from "../platform/index.ts";
import type { ObjectJobs } from "./jobs/object-jobs.ts";

export type ObjectWorkers = WorkerPool<ObjectJobs>;

/**
 * Threads start with their first work.
 * @param size as in WorkerPoolOptions
 */
export function newObjectWorkers(size = availableParallelism()): ObjectWorkers {
  return new WorkerPool<ObjectJobs>(new URL("./jobs/object-worker.ts", import.meta.url), { size });
}
