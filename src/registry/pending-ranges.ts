/** Which bytes of a blob are still missing, while answers come in. */
import { SealrootError } from "../errors/index.ts";
import type { ByteRange, RangePiece } from "../oci/index.ts";
import type { PositionedBytes } from "./positioned-bytes.ts";

interface Pending {
  readonly index: number;
  start: number;
  readonly end: number;
}

/** The requested ranges of one blob, and how much of each is still missing. */
export class PendingRanges {
  #pending: Pending[];

  /** @throws SealrootError `usage` for ranges that are not in order, overlap, or leave the blob */
  constructor(ranges: readonly ByteRange[], blobBytes: number) {
    let from = 0;
    for (const { start, end } of ranges) {
      if (start < from || end < start || end > blobBytes) {
        throw new SealrootError("usage", `Cannot read range ${start}-${end}: it is out of order or outside the blob`);
      }
      from = end;
    }
    this.#pending = ranges.map((range, index) => ({ index, ...range })).filter(({ start, end }) => start < end);
  }

  /** How many ranges are not complete. */
  get count(): number {
    return this.#pending.length;
  }

  get missingBytes(): number {
    return this.#pending.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** The first of them, at most `count`. */
  first(count: number): readonly ByteRange[] {
    return this.#pending.slice(0, count).map(({ start, end }) => ({ start, end }));
  }

  /**
   * Picks what is wanted from received bytes. Bytes before the next wanted one are skipped.
   * @throws SealrootError `unsupported` when the next wanted byte was skipped, such as by parts in another order
   */
  *take({ offset, bytes }: PositionedBytes): Generator<RangePiece> {
    const end = offset + bytes.length;
    for (let next = this.#pending[0]; next !== undefined && next.start < end; next = this.#pending[0]) {
      if (next.start < offset) {
        const what = `Cannot read part of a blob: asked for bytes from ${next.start}, got bytes from ${offset}`;
        throw new SealrootError("unsupported", what, { expected: String(next.start), actual: String(offset) });
      }
      const until = Math.min(end, next.end);
      const piece = { range: next.index, bytes: bytes.subarray(next.start - offset, until - offset) };
      next.start = until;
      if (next.start === next.end) this.#pending.shift();
      yield piece;
    }
  }
}
