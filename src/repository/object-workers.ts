/** The worker threads of one repository or scan. */
import { WorkerPool } from "../platform/index.ts";
import type { ObjectRequest, ObjectResponse } from "./object-jobs.ts";

export type ObjectWorkers = WorkerPool<ObjectRequest, ObjectResponse>;

/** Threads start with their first work. */
export function newObjectWorkers(): ObjectWorkers {
  return new WorkerPool<ObjectRequest, ObjectResponse>(new URL("./object-worker.ts", import.meta.url));
}
