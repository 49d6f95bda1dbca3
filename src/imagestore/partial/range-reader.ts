/** Reading parts of a blob in ascending order from the ranges being fetched. */
import type { ByteRange, RangePiece } from "../../oci/index.ts";
import { asPullWhole, PullWhole } from "./not-partial.ts";

/** Bytes between the requested parts are dropped. */
export class RangeReader {
  readonly #ranges: readonly ByteRange[];
  readonly #pieces: AsyncIterator<RangePiece> | undefined;
  /** The current piece, and where it begins in the blob. */
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #range = -1;

  /**
   * @param pieces of `ranges`, as from BlobReader.readRanges; undefined if there is nothing to read
   */
  constructor(ranges: readonly ByteRange[], pieces: AsyncIterable<RangePiece> | undefined) {
    this.#ranges = ranges;
    this.#pieces = pieces?.[Symbol.asyncIterator]();
  }

  /**
   * The bytes `start..end` (half-open) in views that are valid until the next is requested. All must be consumed.
   *
   * @throws PullWhole for parts before what was already read; what the source throws passes through, its `unsupported`
   *   as PullWhole
   */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; ) {
      if (at < this.#start) throw new PullWhole("its files are not in the order of the tar");
      const from = at - this.#start;
      if (from >= this.#bytes.length) {
        await this.#next();
        continue;
      }
      const part = this.#bytes.subarray(from, from + end - at);
      at += part.length;
      yield part;
    }
  }

  /** Ends the request, whatever is left of it. */
  async close(): Promise<void> {
    await this.#pieces?.return?.();
  }

  async #next(): Promise<void> {
    const next = await this.#pieces?.next().catch((error: unknown) => {
      throw asPullWhole(error);
    });
    if (next === undefined || next.done === true) throw new PullWhole("the source left parts out");
    const { range, bytes } = next.value;
    this.#start = range === this.#range ? this.#start + this.#bytes.length : (this.#ranges[range]?.start ?? 0);
    this.#range = range;
    this.#bytes = bytes;
  }
}
