/** Files on their way to the workers that read and hash them. */
import { byteString } from "../bytes/index.ts";
import { INLINE_CONTENT_MAX_BYTES } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { handleObjectRequest } from "./object-jobs.ts";
import type { ObjectSettings } from "./object-settings.ts";
import type { ObjectWorkers } from "./object-workers.ts";
import type { ScanFilesRequest } from "./scan-files.ts";

/** A batch is sent at this many bytes or files: about 5 ms of work, so that the last ones end nearly together. */
const BATCH_BYTES = 4 << 20;
const BATCH_FILES = 256;
/** Batches under way before the reader waits. They hold names only, so this bounds names, not contents. */
const BATCHES_UNDER_WAY_MAX = 64;
/** A scan of no more than this is done here: starting a worker takes 50 ms. */
const IN_THREAD_BYTES_MAX = 256 << 10;

type Receiver = (content: string | Uint8Array) => void;

interface Batch {
  readonly paths: string[];
  readonly sizesBytes: number[];
  readonly receivers: Receiver[];
  bytes: number;
}

/** Collects files into batches and gives each its content (inline bytes or object id) when it is known. */
export class FileReadQueue {
  readonly #workers: ObjectWorkers;
  readonly #algorithm: VerityAlgorithm;
  readonly #store: ObjectSettings | undefined;
  readonly #linkFiles: boolean;
  readonly #underWay = new Set<Promise<void>>();
  #batch: Batch = newBatch();
  #sentBatches = 0;
  #newObjects = 0;
  #sharedObjects = 0;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param store where objects go; undefined: digests only
   * @param linkFiles as in {@link ScanFilesRequest}
   */
  constructor(
    workers: ObjectWorkers,
    algorithm: VerityAlgorithm,
    store: ObjectSettings | undefined,
    linkFiles: boolean,
  ) {
    this.#workers = workers;
    this.#algorithm = algorithm;
    this.#store = store;
    this.#linkFiles = linkFiles;
  }

  /** Queues a regular file. An empty one is answered at once. */
  add(path: Buffer, sizeBytes: number, receive: Receiver): void {
    if (sizeBytes === 0) {
      receive(new Uint8Array(0));
      return;
    }
    const batch = this.#batch;
    batch.paths.push(byteString(path));
    batch.sizesBytes.push(sizeBytes);
    batch.receivers.push(receive);
    batch.bytes += sizeBytes;
    if (batch.bytes >= BATCH_BYTES || batch.paths.length >= BATCH_FILES) this.#send();
  }

  /** Waits while too much is under way. @throws what a worker met */
  async room(): Promise<void> {
    while (this.#underWay.size >= BATCHES_UNDER_WAY_MAX) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for everything. @returns how many objects are new in the store, and how many of those share their file's data */
  async finish(): Promise<{ readonly newObjects: number; readonly sharedObjects: number }> {
    if (this.#batch.paths.length > 0) this.#send(this.#sentBatches === 0 && this.#batch.bytes <= IN_THREAD_BYTES_MAX);
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
    return { newObjects: this.#newObjects, sharedObjects: this.#sharedObjects };
  }

  #send(inThread = false): void {
    const { paths, sizesBytes, receivers } = this.#batch;
    this.#batch = newBatch();
    this.#sentBatches++;
    const request: ScanFilesRequest = {
      kind: "scan-files",
      algorithm: this.#algorithm,
      store: this.#store,
      linkFiles: this.#linkFiles,
      inlineMaxBytes: INLINE_CONTENT_MAX_BYTES,
      paths,
      sizesBytes,
    };
    const answer = inThread ? handleHere(request) : this.#workers.run(request);
    const done = answer.then(
      (response) => {
        if (response.kind !== "scanned") return;
        this.#newObjects += response.newObjects;
        this.#sharedObjects += response.sharedObjects;
        for (const [index, content] of response.contents.entries()) receivers[index]?.(content);
      },
      (error) => {
        this.#failure ??= { error };
      },
    );
    const settled = done.finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }
}

async function handleHere(request: ScanFilesRequest) {
  return handleObjectRequest(request);
}

function newBatch(): Batch {
  return { paths: [], sizesBytes: [], receivers: [], bytes: 0 };
}
