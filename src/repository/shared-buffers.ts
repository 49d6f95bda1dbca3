/** Memory that this thread fills and workers read, used again and again. */

/** Free buffers that are kept; more than this are never waiting at a time, as producers wait before. */
const FREE_BUFFERS_MAX = 32;

/**
 * Hands out buffers of one size.
 *
 * Fresh memory for every message would cost about as much as the hashing: the kernel clears its pages, and V8 collects
 * garbage in both threads for every 64 MB that change hands (measured on a pull of 730 MB: 53 collections, a quarter of
 * the processor time). Shared memory neither moves nor counts there.
 */
export class SharedBuffers {
  readonly sizeBytes: number;
  readonly #free: Uint8Array<SharedArrayBuffer>[] = [];

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  /** A buffer with whatever was in it before. */
  take(): Uint8Array<SharedArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(this.sizeBytes));
  }

  /** Takes a buffer back that nobody reads any more. */
  give(buffer: Uint8Array<SharedArrayBuffer>): void {
    if (this.#free.length < FREE_BUFFERS_MAX) this.#free.push(buffer);
  }
}
