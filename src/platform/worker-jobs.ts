/** The jobs of a worker module: functions by name, and the messages by which another thread requests them. */
import { parentPort } from "node:worker_threads";
import { errorToData, type PlainError } from "./worker-error.ts";

/**
 * What a worker module can do. Inputs and outputs are plain data: they are copied from thread to thread. The module
 * passes the table to {@link serveJobs}; its type alone ties each request of a WorkerPool to its answer.
 */
export type Jobs = Readonly<Record<string, (input: never) => unknown>>;

export type JobName<Table extends Jobs> = Extract<keyof Table, string>;
export type JobInput<Table extends Jobs, Name extends JobName<Table>> = Parameters<Table[Name]>[0];
export type JobOutput<Table extends Jobs, Name extends JobName<Table>> = ReturnType<Table[Name]>;

export interface JobRequest {
  readonly id: number;
  readonly job: string;
  readonly input: unknown;
}

/** The job is named again: an answer is accepted only for its request. */
export type JobReply =
  | { readonly id: number; readonly job: string; readonly output: unknown }
  | { readonly id: number; readonly job: string; readonly error: PlainError };

/** Does a job in this thread. @throws what the job throws */
export function runJob<Table extends Jobs, Name extends JobName<Table>>(
  jobs: Table,
  name: Name,
  input: JobInput<Table, Name>,
): JobOutput<Table, Name> {
  const job = jobs[name] as (input: JobInput<Table, Name>) => JobOutput<Table, Name>;
  return job(input);
}

/**
 * Call in a worker module: runs the jobs that the pool requests, one after the other, and answers each with what it
 * returns or throws.
 */
export function serveJobs(jobs: Jobs): void {
  const port = parentPort;
  if (port === null) throw new Error("serveJobs() is for a worker thread");
  port.on("message", ({ id, job, input }: JobRequest) => {
    const answer = (reply: JobReply) => port.postMessage(reply);
    try {
      if (!Object.hasOwn(jobs, job)) throw new Error(`Cannot do the job ${job}: the worker has none of that name`);
      // Its type was checked where it was sent: the pool's table has the same type.
      answer({ id, job, output: runJob(jobs, job, input as never) });
    } catch (error) {
      answer({ id, job, error: errorToData(error) });
    }
  });
}
