/** The worker threads of one repository or scan. */
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import { WorkerPool } from "../platform/index.ts";
import { type ObjectJobs, objectJobs } from "./jobs/object-jobs.ts";

export type ObjectWorkers = WorkerPool<ObjectJobs>;

/**
 * Threads start with their first work. The main thread is one of those that keep the cores busy: it parses what the
 * others store, or helps them ({@link helpWith}). Each thread more costs 0.1 to 0.2 seconds of loading and compiling.
 */
export function newObjectWorkers(): ObjectWorkers {
  const size = Math.max(1, availableParallelism() - 1);
  return new WorkerPool<ObjectJobs>(new URL("./jobs/object-worker.ts", import.meta.url), { size });
}

/**
 * Waits for work of the workers, and does a part of it in this thread while requests wait for a worker.
 * @throws what the work throws
 */
export async function helpWith<Output>(workers: ObjectWorkers, work: Promise<Output>): Promise<Output> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  // One that has failed is reported when it is awaited.
  work.then(end, end);
  while (!isDone && workers.answerWaiting(objectJobs)) await setImmediate();
  return work;
}
