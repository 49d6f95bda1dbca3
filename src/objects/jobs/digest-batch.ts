/** Small files read one after the other into one memory, so that their blocks are hashed together. */
import { type VerityAlgorithm, verityDigests } from "../../verity/index.ts";

/** A larger file has enough blocks of its own. */
export const BATCHED_MAX_BYTES = 256 << 10;
const BATCH_BYTES = 1 << 20;
/** What is known of each file is kept until its batch is hashed. */
const BATCH_FILES_MAX = 512;

/** This thread's: one batch at a time. */
let memory: Buffer | undefined;

/** Collects files of up to {@link BATCHED_MAX_BYTES}. One at a time in each thread. */
export class DigestBatch<Item> {
  readonly #algorithm: VerityAlgorithm;
  readonly #onDigest: (item: Item, objectId: string, bytes: Buffer) => void;
  #items: Item[] = [];
  #sizesBytes: number[] = [];
  #usedBytes = 0;

  /** @param onDigest is told each file's digest, in the order of {@link add}; the bytes are valid during the call */
  constructor(algorithm: VerityAlgorithm, onDigest: (item: Item, objectId: string, bytes: Buffer) => void) {
    this.#algorithm = algorithm;
    this.#onDigest = onDigest;
  }

  /** Memory for the next file's content, which {@link add} then takes. */
  room(sizeBytes: number): Buffer {
    memory ??= Buffer.allocUnsafeSlow(BATCH_BYTES);
    if (this.#usedBytes + sizeBytes > BATCH_BYTES || this.#items.length === BATCH_FILES_MAX) this.finish();
    return memory.subarray(this.#usedBytes, this.#usedBytes + sizeBytes);
  }

  /** The memory that {@link room} gave is filled. */
  add(item: Item, sizeBytes: number): void {
    this.#items.push(item);
    this.#sizesBytes.push(sizeBytes);
    this.#usedBytes += sizeBytes;
  }

  /** Hashes what is there. @throws what `onDigest` throws; the files after that are forgotten */
  finish(): void {
    const bytes = memory ?? Buffer.alloc(0);
    const [items, sizesBytes] = [this.#items, this.#sizesBytes];
    this.#items = [];
    this.#sizesBytes = [];
    const objectIds = verityDigests(bytes.subarray(0, this.#usedBytes), sizesBytes, this.#algorithm);
    this.#usedBytes = 0;
    let start = 0;
    for (const [index, item] of items.entries()) {
      const end = start + (sizesBytes[index] ?? 0);
      this.#onDigest(item, objectIds[index] ?? "", bytes.subarray(start, end));
      start = end;
    }
  }
}
