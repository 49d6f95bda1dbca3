/** Objects read once for two digests: the reader's own, of the stream they are in, and their fs-verity digest. */
import type { WorkerChannel } from "../platform/index.ts";
import { answersTo } from "./answers.ts";
import type { ObjectJobs } from "./jobs/object-jobs.ts";
import type { ReadPieces } from "./jobs/read-objects.ts";
import type { ObjectSettings } from "./object-settings.ts";
import type { ObjectWorkers } from "./object-workers.ts";
import { type SharedBuffer, SharedBuffers } from "./shared-buffers.ts";

const BUFFER_BYTES = 1 << 20;
/** Buffers that the worker fills or has filled: it reads so far ahead. */
const BUFFERS_AHEAD = 4;
/** The worker is told this many objects with each buffer, so that only very small ones leave it with room. */
const OBJECTS_A_BUFFER = 1024;

interface FilledBuffer extends ReadPieces {
  readonly buffer: SharedBuffer;
}

let lastReading = 0;

/**
 * Has a worker read objects ahead of its caller and compare them with their names. An object is read so only once,
 * however often it is expected. One for each reader, which reads one object at a time.
 */
export class ObjectVerifier {
  readonly #settings: ObjectSettings;
  readonly #workers: ObjectWorkers;
  #channel: WorkerChannel<ObjectJobs> | undefined;
  readonly #buffers = new SharedBuffers(BUFFER_BYTES);
  readonly #taken = new Set<string>();
  readonly #good = new Set<string>();
  #reading: Reading | undefined;

  constructor(settings: ObjectSettings, workers: ObjectWorkers) {
    this.#settings = settings;
    this.#workers = workers;
  }

  /** Says in which order objects will be read. Those that were expected before and not read are forgotten. */
  async expect(objectIds: readonly string[]): Promise<void> {
    await this.#reading?.end();
    this.#channel ??= this.#workers.channel();
    const fresh = objectIds.filter((objectId) => !this.#taken.has(objectId));
    this.#reading = new Reading(this.#channel, this.#settings, this.#buffers, fresh, this.#good);
  }

  /**
   * The object's bytes in pieces, each valid until the next is requested. It was checked as objects are when opened.
   * @returns undefined when another object is expected here, or this one was read before
   */
  chunksOf(objectId: string): AsyncIterable<Uint8Array> | undefined {
    if (this.#reading === undefined || this.#reading.nextId !== objectId) return undefined;
    this.#taken.add(objectId);
    return this.#reading.next();
  }

  /** @returns ids of the objects that were read to their end and have the digest of their name */
  async finish(): Promise<ReadonlySet<string>> {
    await this.#reading?.end();
    this.#channel?.release();
    return this.#good;
  }
}

/** Objects that one worker reads in a given order. */
class Reading {
  readonly #channel: WorkerChannel<ObjectJobs>;
  readonly #settings: ObjectSettings;
  readonly #buffers: SharedBuffers;
  readonly #objectIds: readonly string[];
  readonly #good: Set<string>;
  readonly #reading = ++lastReading;
  readonly #answers: Promise<FilledBuffer>[] = [];
  /** Objects that the worker was told, that it has read, and that the caller has begun to read. */
  #told = 0;
  #read = 0;
  #passedOn = 0;
  #current: FilledBuffer | undefined;
  /** In the current buffer. */
  #piece = 0;
  #startBytes = 0;

  constructor(
    channel: WorkerChannel<ObjectJobs>,
    settings: ObjectSettings,
    buffers: SharedBuffers,
    objectIds: readonly string[],
    good: Set<string>,
  ) {
    this.#channel = channel;
    this.#settings = settings;
    this.#buffers = buffers;
    this.#objectIds = objectIds;
    this.#good = good;
    while (this.#answers.length < BUFFERS_AHEAD && objectIds.length > 0) this.#request();
  }

  get nextId(): string | undefined {
    return this.#objectIds[this.#passedOn];
  }

  /** The next object's bytes. @throws what the worker throws */
  async *next(): AsyncGenerator<Uint8Array> {
    this.#passedOn++;
    for (let ends = false; !ends; ) {
      if (this.#current === undefined || this.#piece === this.#current.sizesBytes.length) await this.#nextBuffer();
      if (this.#current === undefined)
        throw new Error(`Cannot read on: nothing follows for ${this.nextId ?? "the last"}`);
      const { buffer, sizesBytes, lastEnds } = this.#current;
      const end = this.#startBytes + (sizesBytes[this.#piece] ?? 0);
      const bytes = buffer.subarray(this.#startBytes, end);
      this.#startBytes = end;
      this.#piece++;
      ends = this.#piece < sizesBytes.length || lastEnds;
      yield bytes;
    }
  }

  /** Waits until the worker uses no buffer any more. */
  async end(): Promise<void> {
    const ended = this.#channel.run("end-reading", { reading: this.#reading });
    await Promise.allSettled(this.#answers);
    await ended;
  }

  async #nextBuffer(): Promise<void> {
    do {
      if (this.#current !== undefined) this.#buffers.give(this.#current.buffer);
      if (this.#read < this.#objectIds.length) this.#request();
      this.#current = await this.#answers.shift();
      // One that was told no more objects may have had nothing to fill it with.
    } while (this.#current?.sizesBytes.length === 0);
    this.#piece = 0;
    this.#startBytes = 0;
  }

  #request(): void {
    const buffer = this.#buffers.take();
    const objectIds = this.#objectIds.slice(this.#told, this.#toldMax());
    this.#told += objectIds.length;
    const input = { reading: this.#reading, settings: this.#settings, objectIds, buffer };
    const answer = this.#channel.run("read-objects", input).then((pieces) => {
      const { sizesBytes, lastEnds, good } = pieces;
      if (sizesBytes.length === 0 && objectIds.length > 0) {
        throw new Error(`Cannot use a worker's answer: it has nothing of ${objectIds.length} objects`);
      }
      const ended = lastEnds ? sizesBytes.length : sizesBytes.length - 1;
      const endedIds = this.#objectIds.slice(this.#read, this.#read + ended);
      for (const [objectId, isGood] of answersTo(endedIds, good)) if (isGood) this.#good.add(objectId);
      this.#read += ended;
      return { ...pieces, buffer };
    });
    // Whoever waits for it is told; after a failure nobody may wait for those behind it.
    answer.catch(() => {});
    this.#answers.push(answer);
  }

  /** Large objects let the worker fall behind: it is not told more of them than the buffers ahead would bring. */
  #toldMax(): number {
    return Math.min(this.#told + OBJECTS_A_BUFFER, this.#read + BUFFERS_AHEAD * OBJECTS_A_BUFFER);
  }
}
