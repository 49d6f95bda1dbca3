/** Storing many objects: small ones in batches, large ones in pieces, hashed and written by worker threads. */
import type { JobInput } from "../platform/index.ts";
import { answersTo } from "./answers.ts";
import { countObject, type ImportStatistics } from "./import-statistics.ts";
import type { ObjectJobs } from "./jobs/object-jobs.ts";
import { type StoreObjectsInput, type StoreObjectsOutput, storeObjects } from "./jobs/store-objects.ts";
import type { ObjectSettings } from "./object-settings.ts";
import { helpWith, type ObjectWorkers } from "./object-workers.ts";
import { BufferFiller, type SharedBuffer, SharedBuffers } from "./shared-buffers.ts";
import { UnderWay } from "./under-way.ts";

/** A large object whose bytes arrive in pieces. */
export interface ObjectSink {
  /** Copies the bytes. */
  write(chunk: Uint8Array): void;
  /** @returns the object's id, once it is stored */
  finish(): Promise<string>;
  abort(): void;
}

/** A batch is sent when it has this many bytes: large enough that a message costs little, small enough to overlap. */
const BATCH_BYTES = 1 << 20;
/** And when it has this many objects: some 25 ms of work, so that the last ones end nearly together. */
const BATCH_OBJECTS_MAX = 512;
/** What may be pending for the workers before {@link ObjectImporter.room} asks the producer to wait. */
const UNDER_WAY_BYTES_MAX = 16 << 20;
/** Up to this much is hashed here: starting a worker takes 50 ms. */
const IN_THREAD_BYTES_MAX = 256 << 10;

let lastDraft = 0;

/** The jobs that make a large object; see jobs/drafts.ts. */
type DraftJob = "begin-draft" | "write-draft" | "finish-draft" | "abort-draft";

/**
 * Takes objects one after the other and stores them in parallel. Ids arrive as promises in the order of the workers;
 * await them late. An occasional `await room()` bounds the memory.
 */
export class ObjectImporter {
  readonly statistics: ImportStatistics = { newObjects: 0, presentObjects: 0, storedBytes: 0 };
  readonly #settings: ObjectSettings;
  readonly #workers: ObjectWorkers;
  readonly #buffers = new SharedBuffers(BATCH_BYTES);
  #batch: Batch | undefined;
  /** Requests without an answer yet, by the memory they hold. */
  readonly #underWay = new UnderWay(UNDER_WAY_BYTES_MAX);
  #inThreadBytes = 0;

  /** From {@link ObjectStore.importer}. */
  constructor(settings: ObjectSettings, workers: ObjectWorkers) {
    this.#settings = settings;
    this.#workers = workers;
  }

  /**
   * Stores one object whose bytes are in memory (copied before the call returns).
   * @returns its id, once it is stored
   */
  add(bytes: Uint8Array): Promise<string> {
    if (bytes.length > BATCH_BYTES) {
      const sink = this.open();
      sink.write(bytes);
      return sink.finish();
    }
    const { usedBytes = 0, sizesBytes = [] } = this.#batch ?? {};
    if (usedBytes + bytes.length > BATCH_BYTES || sizesBytes.length === BATCH_OBJECTS_MAX) this.#sendBatch();
    if (this.#batch === undefined) {
      this.#batch = { buffer: this.#buffers.take(), usedBytes: 0, sizesBytes: [], waiting: [] };
      setImmediate(() => this.#sendWhenFree());
    }
    const batch = this.#batch;
    batch.buffer.set(bytes, batch.usedBytes);
    batch.usedBytes += bytes.length;
    batch.sizesBytes.push(bytes.length);
    const stored = new Promise<string>((resolve, reject) => batch.waiting.push({ resolve, reject }));
    return handled(stored);
  }

  /** Begins an object of unknown or large size. */
  open(): ObjectSink {
    const draft = ++lastDraft;
    const channel = this.#workers.channel();
    const failure = { error: undefined as unknown };
    let sizeBytes = 0;
    const send = <Name extends DraftJob>(job: Name, input: JobInput<ObjectJobs, Name>) => {
      const answer = channel.run(job, input);
      answer.catch((error) => {
        failure.error ??= error;
      });
      return answer;
    };
    this.#remember(send("begin-draft", { draft, settings: this.#settings }), undefined);
    const parts = new BufferFiller(this.#buffers, (bytes, buffer) =>
      this.#remember(send("write-draft", { draft, bytes }), buffer),
    );
    const finish = async () => {
      const answer = send("finish-draft", { draft }).finally(() => channel.release());
      const { objectId, isNew } = await answer.catch((error) => {
        // The earlier failure is why this fails too.
        throw failure.error ?? error;
      });
      if (failure.error !== undefined) throw failure.error;
      countObject(this.statistics, sizeBytes, isNew);
      return objectId;
    };
    return {
      write: (chunk) => {
        sizeBytes += chunk.length;
        parts.add(chunk);
      },
      finish: () => {
        parts.passOn();
        const stored = finish();
        this.#remember(stored, undefined);
        return handled(stored);
      },
      abort: () => {
        parts.drop();
        this.#remember(send("abort-draft", { draft }), undefined);
        channel.release();
      },
    };
  }

  /** Resolves when there is room for more bytes, to which this thread helps; undefined if there is now. */
  room(): Promise<void> | undefined {
    const room = this.#underWay.room();
    return room && this.help(room);
  }

  /** Waits for something that depends on what is being stored, and stores a part of it in this thread. */
  help<Output>(work: Promise<Output>): Promise<Output> {
    return helpWith(this.#workers, work);
  }

  /**
   * Waits until everything is stored.
   * @throws the first error of any object
   */
  async finish(): Promise<ImportStatistics> {
    this.#sendBatch();
    await this.help(this.#underWay.finish());
    return this.statistics;
  }

  /**
   * An awaited id must not wait for a batch to fill up: it is sent as soon as a worker would be idle. While all are
   * busy, it fills further, as each message wakes a thread on either side.
   */
  #sendWhenFree(): void {
    if (this.#underWay.count < this.#workers.size) this.#sendBatch();
  }

  #sendBatch(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    const { buffer, usedBytes, sizesBytes, waiting } = batch;
    const inThread = this.#inThreadBytes + usedBytes <= IN_THREAD_BYTES_MAX;
    const input = { settings: this.#settings, bytes: buffer.subarray(0, usedBytes), sizesBytes };
    if (inThread) this.#inThreadBytes += usedBytes;
    const answer = inThread ? storeHere(input) : this.#workers.run("store-objects", input);
    const stored = answer.then(({ objectIds, newObjects, storedBytes }) => {
      const answers = answersTo(waiting, objectIds);
      this.statistics.newObjects += newObjects;
      this.statistics.presentObjects += objectIds.length - newObjects;
      this.statistics.storedBytes += storedBytes;
      for (const [waiter, objectId] of answers) waiter.resolve(objectId);
    });
    stored.catch((error) => {
      for (const waiter of waiting) waiter.reject(error);
    });
    this.#remember(stored, inThread ? undefined : buffer);
  }

  /** @param buffer what the worker reads until it has answered */
  #remember(answer: Promise<unknown>, buffer: SharedBuffer | undefined): void {
    this.#underWay.add(answer, buffer === undefined ? 0 : buffer.length);
    const goOn = () => {
      if (buffer !== undefined) this.#buffers.give(buffer);
      this.#sendWhenFree();
    };
    answer.then(goOn, goOn);
  }
}

/** Small objects that go to a worker together. */
interface Batch {
  readonly buffer: SharedBuffer;
  usedBytes: number;
  readonly sizesBytes: number[];
  readonly waiting: Waiting[];
}

interface Waiting {
  resolve(objectId: string): void;
  reject(error: unknown): void;
}

async function storeHere(input: StoreObjectsInput): Promise<StoreObjectsOutput> {
  return storeObjects(input);
}

/** Keeps a failure from ending the process while nobody awaits the promise yet. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
