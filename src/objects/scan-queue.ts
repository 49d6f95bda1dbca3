/** Files waiting for the workers that read and hash them. */
import { lstatSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ByteString } from "../bytes/index.ts";
import { INLINE_CONTENT_MAX_BYTES, NO_XATTRS } from "../tree/index.ts";
import type { VerityAlgorithm } from "../verity/index.ts";
import { answersTo } from "./answers.ts";
import { type FileFacts, scanFactsAt } from "./jobs/scan-facts.ts";
import { type FileScanContent, type ScanFilesInput, type ScannedFiles, scanFiles } from "./jobs/scan-files.ts";
import type { ObjectSettings } from "./object-settings.ts";
import { helpWith, type ObjectWorkers } from "./object-workers.ts";
import { UnderWay } from "./under-way.ts";

/** A batch is sent at this many files: a few milliseconds of work, so that the last ones end nearly together. */
const BATCH_FILES = 128;
/** Pending batches before the reader waits. They hold only names, so this bounds names, not contents. */
const BATCHES_UNDER_WAY_MAX = 64;
/** A scan of no more than this is done here: starting a worker takes 50 ms. */
const IN_THREAD_BYTES_MAX = 256 << 10;

/** Takes what is known about a file. */
type Receiver = (file: FileFacts, content: FileScanContent) => void;

interface Batch {
  readonly paths: ByteString[];
  readonly receivers: Receiver[];
}

let lastScan = 0;

/** Collects files into batches and gives for each its content (inline bytes or object id) when it is known. */
export class FileReadQueue {
  readonly #workers: ObjectWorkers;
  readonly #scan = ++lastScan;
  readonly #algorithm: VerityAlgorithm;
  readonly #store: ObjectSettings | undefined;
  readonly #linkFiles: boolean;
  #batch: Batch = newBatch();
  readonly #underWay = new UnderWay(BATCHES_UNDER_WAY_MAX);
  #sentBatches = 0;
  #sentBeforeTurn = 0;
  #newObjects = 0;
  #sharedObjects = 0;

  /**
   * @param store where objects go; undefined: digests only
   * @param linkFiles as in {@link ScanFilesInput}
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

  /** Queues a regular file. */
  add(path: ByteString, receive: Receiver): void {
    this.#batch.paths.push(path);
    this.#batch.receivers.push(receive);
    if (this.#batch.paths.length >= BATCH_FILES) this.#send();
  }

  /** Handles answers of the workers, and waits while too much is pending. @throws a worker's error */
  async room(): Promise<void> {
    if (this.#sentBatches === this.#sentBeforeTurn) return;
    this.#sentBeforeTurn = this.#sentBatches;
    await setImmediate();
    const room = this.#underWay.room();
    if (room !== undefined) await helpWith(this.#workers, room);
    this.#underWay.check();
  }

  /** Waits for everything. @returns how many objects are new in the store, and how many of those share their file's data */
  async finish(): Promise<{ readonly newObjects: number; readonly sharedObjects: number }> {
    const { paths } = this.#batch;
    if (paths.length > 0) this.#send(this.#sentBatches === 0 && bytesAtMost(paths, IN_THREAD_BYTES_MAX));
    await helpWith(this.#workers, this.#underWay.finish());
    return { newObjects: this.#newObjects, sharedObjects: this.#sharedObjects };
  }

  #send(inThread = false): void {
    const { paths, receivers } = this.#batch;
    this.#batch = newBatch();
    this.#sentBatches++;
    const input: ScanFilesInput = {
      scan: this.#scan,
      algorithm: this.#algorithm,
      store: this.#store,
      linkFiles: this.#linkFiles,
      inlineMaxBytes: INLINE_CONTENT_MAX_BYTES,
      paths,
    };
    const answer = inThread ? scanHere(input) : this.#workers.run("scan-files", input);
    this.#underWay.add(answer.then((scanned) => this.#receive(receivers, scanned)));
  }

  #receive(receivers: readonly Receiver[], { contents, facts, xattrs, newObjects, sharedObjects }: ScannedFiles): void {
    this.#newObjects += newObjects;
    this.#sharedObjects += sharedObjects;
    for (const [index, [receive, content]] of answersTo(receivers, contents).entries()) {
      receive(scanFactsAt(facts, index, xattrs.get(index) ?? NO_XATTRS), content);
    }
  }
}

async function scanHere(input: ScanFilesInput): Promise<ScannedFiles> {
  return scanFiles(input);
}

function newBatch(): Batch {
  return { paths: [], receivers: [] };
}

/** A missing file counts as empty: reading it will report it. */
function bytesAtMost(paths: readonly ByteString[], maxBytes: number): boolean {
  let bytes = 0;
  for (const path of paths) bytes += lstatSync(Buffer.from(path, "latin1"), { throwIfNoEntry: false })?.size ?? 0;
  return bytes <= maxBytes;
}
