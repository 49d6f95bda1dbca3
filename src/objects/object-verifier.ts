/** Objects read once for two digests: the reader's own, of the stream they are in, and their fs-verity digest. */
import type { WorkerChannel } from "../platform/index.ts";
import { answersTo } from "./answers.ts";
import type { ObjectJobs } from "./jobs/object-jobs.ts";
import type { ObjectPiece } from "./jobs/verify-pieces.ts";
import type { OpenObject } from "./object-reader.ts";
import type { ObjectSettings } from "./object-settings.ts";
import type { ObjectWorkers } from "./object-workers.ts";
import { SharedBuffers } from "./shared-buffers.ts";
import { UnderWay } from "./under-way.ts";

const BUFFER_BYTES = 1 << 20;
/** Buffers that the worker has not answered yet: the reader waits before it fills another. */
const UNDER_WAY_MAX = 4;

type SharedBuffer = Uint8Array<SharedArrayBuffer>;

/** What is sent together. */
interface Batch {
  readonly buffer: SharedBuffer;
  usedBytes: number;
  readonly pieces: ObjectPiece[];
  /** Ids of the objects that end in it. */
  readonly objectIds: string[];
}

/**
 * Passes the bytes of objects to its caller and to a worker that computes their digests. An object is hashed once,
 * however often it is read. One for each reader, which reads one object at a time.
 */
export class ObjectVerifier {
  readonly #settings: ObjectSettings;
  readonly #workers: ObjectWorkers;
  #channel: WorkerChannel<ObjectJobs> | undefined;
  readonly #buffers = new SharedBuffers(BUFFER_BYTES);
  readonly #taken = new Set<string>();
  readonly #good = new Set<string>();
  readonly #underWay = new UnderWay(UNDER_WAY_MAX);
  #batch: Batch | undefined;

  constructor(settings: ObjectSettings, workers: ObjectWorkers) {
    this.#settings = settings;
    this.#workers = workers;
  }

  /**
   * The object's bytes in pieces, each valid until the next is requested. It was checked as objects are when opened.
   */
  async *chunksOf(object: OpenObject): AsyncGenerator<Uint8Array> {
    if (this.#taken.has(object.objectId)) {
      yield* object.chunks();
      return;
    }
    this.#taken.add(object.objectId);
    for (let start = 0; start < object.sizeBytes; ) {
      const batch = this.#batch ?? (await this.#newBatch());
      const end = Math.min(object.sizeBytes, start + BUFFER_BYTES - batch.usedBytes);
      const piece = batch.buffer.subarray(batch.usedBytes, batch.usedBytes + end - start);
      object.readInto(piece, start);
      batch.usedBytes += piece.length;
      batch.pieces.push({ sizeBytes: piece.length, begins: start === 0, ends: end === object.sizeBytes });
      if (end === object.sizeBytes) batch.objectIds.push(object.objectId);
      if (batch.usedBytes === BUFFER_BYTES) this.#send(batch);
      yield piece;
      start = end;
    }
  }

  /** Waits for the worker. @returns ids of the objects that were read to their end and have the digest of their name */
  async finish(): Promise<ReadonlySet<string>> {
    if (this.#batch !== undefined) this.#send(this.#batch);
    await this.#underWay.finish();
    this.#channel?.release();
    return this.#good;
  }

  async #newBatch(): Promise<Batch> {
    await this.#underWay.room();
    this.#underWay.check();
    this.#batch = { buffer: this.#buffers.take(), usedBytes: 0, pieces: [], objectIds: [] };
    return this.#batch;
  }

  #send({ buffer, usedBytes, pieces, objectIds }: Batch): void {
    this.#batch = undefined;
    const bytes = buffer.subarray(0, usedBytes);
    const { algorithm } = this.#settings;
    this.#channel ??= this.#workers.channel();
    const answer = this.#channel.run("verify-pieces", { algorithm, bytes, pieces }).then((digests) => {
      this.#buffers.give(buffer);
      for (const [objectId, digest] of answersTo(objectIds, digests)) {
        if (digest === objectId) this.#good.add(objectId);
      }
    });
    this.#underWay.add(answer);
  }
}
