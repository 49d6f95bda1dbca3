/** Frames being compressed: a few at a time in zlib's threads, yielded in order. */
import { zstdFrame, zstdFrameAsync } from "../zstd/index.ts";

/** Smaller frames are compressed here: passing them to another thread takes longer (0.02 ms against 0.1 ms). */
const IN_THREAD_MAX_BYTES = 16 << 10;
/** As many as zlib has threads. */
const RUNNING_MAX = 4;

interface Waiting {
  readonly sizeBytes: number;
  readonly placed: (start: number, end: number) => void;
  /** Undefined until it is begun. */
  frame: Uint8Array | Promise<Uint8Array> | undefined;
  readonly begin: () => Uint8Array | Promise<Uint8Array>;
}

/** Tracks where in the blob each frame ends up. */
export class FrameQueue {
  readonly #level: number | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Frames of `#waiting` that are begun; the rest follow in order. */
  #begun = 0;
  #running = 0;
  #offset = 0;

  constructor(level: number | undefined) {
    this.#level = level;
  }

  /** Where the next yielded byte is in the blob. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Adds a frame of these bytes, which must not change afterwards.
   * @param placed told its half-open range in the blob when it is yielded
   */
  add(bytes: Uint8Array, placed: (start: number, end: number) => void = () => {}): void {
    const isSmall = bytes.length <= IN_THREAD_MAX_BYTES;
    const begin = () => (isSmall ? zstdFrame(bytes, this.#level) : this.#run(bytes));
    this.#waiting.push({ sizeBytes: bytes.length, placed, frame: undefined, begin });
    this.#waitingBytes += bytes.length;
    this.#beginMore();
  }

  /** Yields frames until at most `keepBytes` of uncompressed bytes wait. */
  async *settle(keepBytes: number): AsyncGenerator<Uint8Array> {
    let settled = 0;
    for (const waiting of this.#waiting) {
      if (this.#waitingBytes <= keepBytes && keepBytes > 0) break;
      if (waiting.frame === undefined) this.#beginMore();
      const frame = await waiting.frame;
      if (frame === undefined) throw new Error("a frame was not begun in its turn");
      settled += 1;
      this.#waitingBytes -= waiting.sizeBytes;
      const start = this.#offset;
      this.#offset += frame.length;
      waiting.placed(start, this.#offset);
      yield frame;
    }
    this.#waiting = this.#waiting.slice(settled);
    this.#begun -= settled;
  }

  #beginMore(): void {
    for (; this.#begun < this.#waiting.length && this.#running < RUNNING_MAX; this.#begun++) {
      const waiting = this.#waiting[this.#begun];
      if (waiting !== undefined) waiting.frame = waiting.begin();
    }
  }

  #run(bytes: Uint8Array): Promise<Uint8Array> {
    this.#running += 1;
    const frame = zstdFrameAsync(bytes, this.#level).finally(() => {
      this.#running -= 1;
      this.#beginMore();
    });
    // The failure is seen when it is awaited in its turn.
    frame.catch(() => {});
    return frame;
  }
}
