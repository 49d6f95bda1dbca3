/** Reused memory that this thread fills and workers read. */

/** Free buffers that are kept; more are never waiting at once, as producers wait earlier. */
const FREE_BUFFERS_MAX = 32;

export type SharedBuffer = Uint8Array<SharedArrayBuffer>;

/**
 * Hands out buffers of one size.
 *
 * Fresh memory for every message would cost about as much as the hashing: the kernel clears its pages, and V8 collects
 * garbage in both threads for every 64 MB that change hands (measured on a pull of 730 MB: 53 collections, a quarter of
 * the processor time). Shared memory neither moves nor counts there.
 */
export class SharedBuffers {
  readonly sizeBytes: number;
  readonly #free: SharedBuffer[] = [];

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  /** A buffer with its old content. */
  take(): SharedBuffer {
    return this.#free.pop() ?? new Uint8Array(new SharedArrayBuffer(this.sizeBytes));
  }

  /** Takes back a buffer that nobody reads any more. */
  give(buffer: SharedBuffer): void {
    if (this.#free.length < FREE_BUFFERS_MAX) this.#free.push(buffer);
  }
}

/** Copies pieces of any size into buffers and passes these on when they are full. */
export class BufferFiller {
  readonly #buffers: SharedBuffers;
  readonly #onFull: (bytes: SharedBuffer, buffer: SharedBuffer) => void;
  #buffer: SharedBuffer | undefined;
  #usedBytes = 0;

  /** @param onFull takes ownership of the buffer, which has `bytes` at its beginning */
  constructor(buffers: SharedBuffers, onFull: (bytes: SharedBuffer, buffer: SharedBuffer) => void) {
    this.#buffers = buffers;
    this.#onFull = onFull;
  }

  /** Appends a copy of the bytes. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      this.#buffer ??= this.#buffers.take();
      const end = Math.min(at + this.#buffer.length - this.#usedBytes, bytes.length);
      this.#buffer.set(bytes.subarray(at, end), this.#usedBytes);
      this.#usedBytes += end - at;
      at = end;
      if (this.#usedBytes === this.#buffer.length) this.passOn();
    }
  }

  /** Passes on what is there, full or not. */
  passOn(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const bytes = buffer.subarray(0, this.#usedBytes);
    this.#buffer = undefined;
    this.#usedBytes = 0;
    this.#onFull(bytes, buffer);
  }

  /** Forgets what is there. */
  drop(): void {
    if (this.#buffer !== undefined) this.#buffers.give(this.#buffer);
    this.#buffer = undefined;
    this.#usedBytes = 0;
  }
}
