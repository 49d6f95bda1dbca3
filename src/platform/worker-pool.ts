/** A pool of worker threads for work that keeps a core busy. */
import { availableParallelism } from "node:os";
import { type Transferable, Worker } from "node:worker_threads";
import { onProcessExit } from "./exit-hooks.ts";
import { errorFromData } from "./worker-error.ts";
import { type JobInput, type JobName, type JobOutput, type JobReply, type Jobs, runJob } from "./worker-jobs.ts";

export interface WorkerPoolOptions {
  /** At most this many threads; the number of cores if absent. They are started when there is work for them. */
  readonly size?: number;
}

/** Has jobs run, each with its own type of input and output. */
export interface JobRunner<Table extends Jobs> {
  /**
   * @param transfer array buffers that move to the worker instead of being copied
   * @returns what the job returned; rejects with what it threw, or with an Error when the worker died or its answer is
   *   not for this job
   */
  run<Name extends JobName<Table>>(
    job: Name,
    input: JobInput<Table, Name>,
    transfer?: readonly Transferable[],
  ): Promise<JobOutput<Table, Name>>;
}

/** Requests that all go to one worker, in order: for work that keeps state there. */
export interface WorkerChannel<Table extends Jobs> extends JobRunner<Table> {
  /** Frees the worker for other work; pending requests continue. */
  release(): void;
}

/** Requests a worker has at once: while it answers one, the next is already there. */
const UNDER_WAY_MAX = 2;

/** A request that a worker has. */
interface Pending {
  readonly job: string;
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

/** A request that no worker has yet. */
interface Waiting<Table extends Jobs> {
  send(): void;
  answerHere(jobs: Table): void;
  reject(error: unknown): void;
}

interface Member {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  channels: number;
}

/**
 * Runs jobs in worker threads, whose module calls {@link serveJobs} with the table of type `Table`.
 *
 * Each request goes to the worker with the fewest pending ones, and waits while all have two: the current one and the
 * next. A worker answers its requests in order. Callers bound the pool's memory by awaiting answers. Idle workers do
 * not keep the process alive.
 */
export class WorkerPool<Table extends Jobs> implements JobRunner<Table> {
  readonly #module: URL;
  readonly #sizeMax: number;
  readonly #members: Member[] = [];
  /** Requests differ in length, and none should wait for a long one while another worker is free. */
  readonly #waiting: Waiting<Table>[] = [];
  #lastRequest = 0;
  #forgetExit: (() => void) | undefined;

  constructor(module: URL, options: WorkerPoolOptions = {}) {
    this.#module = module;
    this.#sizeMax = Math.max(1, options.size ?? availableParallelism());
  }

  /** Maximum number of threads. */
  get size(): number {
    return this.#sizeMax;
  }

  run<Name extends JobName<Table>>(
    job: Name,
    input: JobInput<Table, Name>,
    transfer: readonly Transferable[] = [],
  ): Promise<JobOutput<Table, Name>> {
    const member = this.#leastLoaded();
    if (member.pending.size < UNDER_WAY_MAX) return this.#send(member, job, input, transfer);
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        send: () => this.run(job, input, transfer).then(resolve, reject),
        answerHere: (jobs) => resolve(runJob(jobs, job, input)),
        reject,
      });
    });
  }

  /** Starts a first worker, if there is none: for a caller that has other things to do before it has work. */
  prepare(): void {
    if (this.#members.length === 0) this.#start();
  }

  /**
   * Runs one waiting request in this thread: for a caller that would otherwise only wait.
   * @returns false when no request waits
   */
  answerWaiting(jobs: Table): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    try {
      next.answerHere(jobs);
    } catch (error) {
      next.reject(error);
    }
    return true;
  }

  /** Binds to the worker with the fewest other channels and requests. */
  channel(): WorkerChannel<Table> {
    const member = this.#leastLoaded();
    member.channels++;
    let open = true;
    return {
      run: (job, input, transfer = []) => this.#send(member, job, input, transfer),
      release: () => {
        if (open) member.channels--;
        open = false;
      },
    };
  }

  /** Ends all workers; pending requests are rejected. */
  async close(): Promise<void> {
    this.#forgetExit?.();
    this.#forgetExit = undefined;
    const members = this.#members.splice(0);
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the worker threads were ended"));
    await Promise.all(members.map((member) => member.worker.terminate()));
  }

  #leastLoaded(): Member {
    const load = (member: Member) => member.pending.size + member.channels;
    const best = this.#members.reduce<Member | undefined>(
      (chosen, member) => (chosen === undefined || load(member) < load(chosen) ? member : chosen),
      undefined,
    );
    if (best !== undefined && (load(best) === 0 || this.#members.length >= this.#sizeMax)) return best;
    return this.#start();
  }

  #start(): Member {
    const worker = new Worker(this.#module);
    const member: Member = { worker, pending: new Map(), channels: 0 };
    worker.on("message", (reply: JobReply) => this.#settle(member, reply));
    worker.on("error", (error) => this.#drop(member, error));
    worker.on("exit", (code) => this.#drop(member, new Error(`worker thread ended with code ${code}`)));
    worker.unref();
    this.#members.push(member);
    // A thread would keep making files while they are removed. A stopped one stops at its next statement.
    this.#forgetExit ??= onProcessExit(() => {
      for (const { worker: running } of this.#members) void running.terminate();
    }, "stop");
    return member;
  }

  #send<Name extends JobName<Table>>(
    member: Member,
    job: Name,
    input: JobInput<Table, Name>,
    transfer: readonly Transferable[],
  ): Promise<JobOutput<Table, Name>> {
    const id = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      member.worker.postMessage({ id, job, input }, [...transfer]);
      if (member.pending.size === 0) member.worker.ref();
      // #settle() has already compared the names of the jobs, and a job's name has one type of output.
      member.pending.set(id, { job, resolve: (output) => resolve(output as JobOutput<Table, Name>), reject });
    });
  }

  #settle(member: Member, reply: JobReply): void {
    const pending = member.pending.get(reply.id);
    if (pending === undefined) {
      if (this.#members.includes(member)) this.#end(member, wrongAnswer(`it is to no request, but to ${reply.id}`));
      return;
    }
    member.pending.delete(reply.id);
    if (member.pending.size === 0) member.worker.unref();
    if (reply.job !== pending.job) pending.reject(wrongAnswer(`it is to ${reply.job}, not to ${pending.job}`));
    else if ("error" in reply) pending.reject(errorFromData(reply.error));
    else if ("output" in reply) pending.resolve(reply.output);
    else pending.reject(wrongAnswer(`${pending.job} has neither an output nor an error`));
    this.#sendWaiting();
  }

  /** Ends a worker that violates the protocol. */
  #end(member: Member, error: Error): void {
    void member.worker.terminate();
    this.#drop(member, error);
  }

  #drop(member: Member, error: unknown): void {
    const index = this.#members.indexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
    for (const pending of member.pending.values()) pending.reject(error);
    member.pending.clear();
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    this.#waiting.shift()?.send();
  }
}

function wrongAnswer(state: string): Error {
  return new Error(`Cannot use a worker's answer: ${state}`);
}
