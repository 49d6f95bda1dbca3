/** Where a file is cut into chunks: by content, so that a small change moves few cuts (spec/chunked-and-policy.md 1.3). */

/** One chunk of a file. */
export interface CutChunk {
  /** Not shared with the input; for a hole, shared zeros. */
  readonly bytes: Uint8Array;
  readonly isHole: boolean;
}

/** Bytes the rolling sum looks back; bup's numbers, like all below (spec 1.3). */
const WINDOW_BYTES = 64;
const CHAR_OFFSET = 31;
/** A cut after every byte where the sum's low bits are all ones: one in 64 KiB. */
const RANDOM_CUT_BITS = 16;
const CUT_MASK = 2 ** RANDOM_CUT_BITS - 1;
/** Shorter runs of zeros are data. */
const HOLE_MIN_BYTES = 1024;
/** Longer chunks are cut here, which the format allows: it bounds memory. */
const CHUNK_MAX_BYTES = 4 << 20;

const ZEROS = new Uint8Array(CHUNK_MAX_BYTES);
const FIRST_SUM = WINDOW_BYTES * CHAR_OFFSET;
const SECOND_SUM = WINDOW_BYTES * (WINDOW_BYTES - 1) * CHAR_OFFSET;

/** Takes one file in pieces of any size; the cuts do not depend on them. */
export class FileCutter {
  readonly #emit: (chunk: CutChunk) => void;
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #windowAt = 0;
  #first = FIRST_SUM;
  #second = SECOND_SUM;
  /** The current chunk, grown as needed. */
  #chunk = Buffer.alloc(0);
  #chunkBytes = 0;
  /** Length of the run of zeros at the end of what was written, which may yet become a hole. */
  #zeros = 0;

  /** @param emit receives the chunks in order; together they are the file */
  constructor(emit: (chunk: CutChunk) => void) {
    this.#emit = emit;
  }

  write(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const start = at;
      if (piece[at] === 0) {
        while (at < piece.length && piece[at] === 0) at++;
        this.#addZeros(at - start);
      } else {
        this.#endZeros();
        const zero = piece.indexOf(0, at);
        at = zero === -1 ? piece.length : zero;
        this.#addData(piece, start, at);
      }
    }
  }

  /** Ends the file. */
  finish(): void {
    this.#endZeros();
    this.#endChunk();
  }

  #addZeros(count: number): void {
    this.#zeros += count;
    if (this.#zeros < HOLE_MIN_BYTES) return;
    this.#endChunk();
    for (; this.#zeros >= 2 * CHUNK_MAX_BYTES; this.#zeros -= CHUNK_MAX_BYTES) {
      this.#emit({ bytes: ZEROS, isHole: true });
    }
  }

  #endZeros(): void {
    const count = this.#zeros;
    if (count === 0) return;
    this.#zeros = 0;
    if (count < HOLE_MIN_BYTES) {
      this.#addData(ZEROS, 0, count);
      return;
    }
    for (let rest = count; rest > 0; rest -= CHUNK_MAX_BYTES) {
      this.#emit({ bytes: ZEROS.subarray(0, Math.min(rest, CHUNK_MAX_BYTES)), isHole: true });
    }
    // The sums begin with a window of zeros.
    this.#window.fill(0);
    this.#first = FIRST_SUM;
    this.#second = SECOND_SUM;
  }

  #addData(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const cut = this.#roll(bytes, at, Math.min(end, at + CHUNK_MAX_BYTES - this.#chunkBytes));
      this.#append(bytes.subarray(at, cut.end));
      if (cut.isCut || this.#chunkBytes === CHUNK_MAX_BYTES) this.#endChunk();
      at = cut.end;
    }
  }

  /** Rolls the sum over bytes up to `end` or the first cut. */
  #roll(bytes: Uint8Array, start: number, end: number): { readonly end: number; readonly isCut: boolean } {
    const window = this.#window;
    let windowAt = this.#windowAt;
    let first = this.#first;
    let second = this.#second;
    let at = start;
    let isCut = false;
    while (at < end && !isCut) {
      const entering = bytes[at++] as number;
      const leaving = window[windowAt] as number;
      window[windowAt] = entering;
      windowAt = (windowAt + 1) % WINDOW_BYTES;
      first = (first + entering - leaving) | 0;
      second = (second + first - WINDOW_BYTES * (leaving + CHAR_OFFSET)) | 0;
      isCut = (second & CUT_MASK) === CUT_MASK;
    }
    this.#windowAt = windowAt;
    this.#first = first;
    this.#second = second;
    return { end: at, isCut };
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#chunkBytes + bytes.length;
    if (needed > this.#chunk.length) {
      const grown = Buffer.allocUnsafe(Math.min(CHUNK_MAX_BYTES, Math.max(needed, 2 * this.#chunk.length, 4096)));
      grown.set(this.#chunk.subarray(0, this.#chunkBytes));
      this.#chunk = grown;
    }
    this.#chunk.set(bytes, this.#chunkBytes);
    this.#chunkBytes = needed;
  }

  #endChunk(): void {
    if (this.#chunkBytes === 0) return;
    this.#emit({ bytes: Buffer.from(this.#chunk.subarray(0, this.#chunkBytes)), isHole: false });
    this.#chunkBytes = 0;
  }
}
