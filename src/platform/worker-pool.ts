/** A pool of worker threads for work that keeps a core busy. */
import { availableParallelism } from "node:os";
import { type Transferable, Worker } from "node:worker_threads";
import { onProcessExit } from "./exit-hooks.ts";
import { errorFromData, type WorkerReply } from "./worker-error.ts";

export interface WorkerPoolOptions {
  /** Threads at most; the number of cores when absent. They are started when there is work for them. */
  readonly size?: number;
  /** Given to each worker as `workerData`. */
  readonly workerData?: unknown;
}

/** Requests that all go to one worker, in order: for work that keeps state there. */
export interface WorkerChannel<Request, Response> {
  run(request: Request, transfer?: readonly Transferable[]): Promise<Response>;
  /** Frees the worker for other work's preference; requests under way go on. */
  release(): void;
}

/** Requests a worker has at once: while it answers one, the next is already there. */
const UNDER_WAY_MAX = 2;

interface Pending<Response> {
  resolve(response: Response): void;
  reject(error: unknown): void;
}

interface Waiting<Request, Response> extends Pending<Response> {
  readonly request: Request;
  readonly transfer: readonly Transferable[];
}

interface Member<Response> {
  readonly worker: Worker;
  readonly pending: Map<number, Pending<Response>>;
  channels: number;
}

/**
 * Runs requests in worker threads whose module calls `serveRequests`.
 *
 * Each request goes to the worker with the fewest under way, and waits while all have two: the one that is answered and
 * the next. A worker answers its requests in order. Whoever feeds the pool bounds its memory by awaiting answers. Idle
 * workers do not keep the process alive.
 */
export class WorkerPool<Request, Response> {
  readonly #module: URL;
  readonly #sizeMax: number;
  readonly #workerData: unknown;
  readonly #members: Member<Response>[] = [];
  /** Requests that no worker has yet: requests differ in length, and none shall wait behind a long one. */
  readonly #waiting: Waiting<Request, Response>[] = [];
  #lastRequest = 0;
  #forgetExit: (() => void) | undefined;

  constructor(module: URL, options: WorkerPoolOptions = {}) {
    this.#module = module;
    this.#sizeMax = Math.max(1, options.size ?? availableParallelism());
    this.#workerData = options.workerData;
  }

  /** Most threads that will run. */
  get size(): number {
    return this.#sizeMax;
  }

  /**
   * @param transfer array buffers that move to the worker instead of being copied
   * @returns the handler's answer; rejects with what the handler threw, or with an Error when the worker died
   */
  run(request: Request, transfer: readonly Transferable[] = []): Promise<Response> {
    const member = this.#leastLoaded();
    if (member.pending.size < UNDER_WAY_MAX) return this.#send(member, request, transfer);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, transfer, resolve, reject });
    });
  }

  /**
   * Answers one request that waits for a worker in this thread: for a caller that would only wait, too.
   * @returns false when no request waits
   */
  answerWaiting(handle: (request: Request) => Response): boolean {
    const next = this.#waiting.shift();
    if (next === undefined) return false;
    try {
      next.resolve(handle(next.request));
    } catch (error) {
      next.reject(error);
    }
    return true;
  }

  /** Binds to the worker with the fewest other channels and requests. */
  channel(): WorkerChannel<Request, Response> {
    const member = this.#leastLoaded();
    member.channels++;
    let open = true;
    return {
      run: (request, transfer = []) => this.#send(member, request, transfer),
      release: () => {
        if (open) member.channels--;
        open = false;
      },
    };
  }

  /** Ends all workers; requests under way are rejected. */
  async close(): Promise<void> {
    this.#forgetExit?.();
    this.#forgetExit = undefined;
    const members = this.#members.splice(0);
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the worker threads were ended"));
    await Promise.all(members.map((member) => member.worker.terminate()));
  }

  #leastLoaded(): Member<Response> {
    const load = (member: Member<Response>) => member.pending.size + member.channels;
    const best = this.#members.reduce<Member<Response> | undefined>(
      (chosen, member) => (chosen === undefined || load(member) < load(chosen) ? member : chosen),
      undefined,
    );
    if (best !== undefined && (load(best) === 0 || this.#members.length >= this.#sizeMax)) return best;
    return this.#start();
  }

  #start(): Member<Response> {
    const worker = new Worker(this.#module, { workerData: this.#workerData });
    const member: Member<Response> = { worker, pending: new Map(), channels: 0 };
    worker.on("message", (reply: WorkerReply<Response>) => this.#settle(member, reply));
    worker.on("error", (error) => this.#drop(member, error));
    worker.on("exit", (code) => this.#drop(member, new Error(`worker thread ended with code ${code}`)));
    worker.unref();
    this.#members.push(member);
    // A thread would go on making files while they are removed. What is to be stopped stops at its next statement.
    this.#forgetExit ??= onProcessExit(() => {
      for (const { worker: running } of this.#members) void running.terminate();
    }, "stop");
    return member;
  }

  #send(member: Member<Response>, request: Request, transfer: readonly Transferable[]): Promise<Response> {
    const id = ++this.#lastRequest;
    return new Promise<Response>((resolve, reject) => {
      if (member.pending.size === 0) member.worker.ref();
      member.pending.set(id, { resolve, reject });
      member.worker.postMessage({ id, request }, [...transfer]);
    });
  }

  #settle(member: Member<Response>, reply: WorkerReply<Response>): void {
    const pending = member.pending.get(reply.id);
    member.pending.delete(reply.id);
    if (member.pending.size === 0) member.worker.unref();
    if ("error" in reply) pending?.reject(errorFromData(reply.error));
    else pending?.resolve(reply.response);
    this.#sendWaiting();
  }

  #drop(member: Member<Response>, error: unknown): void {
    const index = this.#members.indexOf(member);
    if (index >= 0) this.#members.splice(index, 1);
    for (const pending of member.pending.values()) pending.reject(error);
    member.pending.clear();
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) this.run(next.request, next.transfer).then(next.resolve, next.reject);
  }
}
