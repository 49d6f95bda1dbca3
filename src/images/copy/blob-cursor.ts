/** Reading parts of a blob in turn, and again from an earlier place when an upload was interrupted. */
import { SealrootError } from "../../errors/index.ts";
import type { BlobName } from "../../oci/index.ts";
import type { BlobContent } from "./destination.ts";

/** One reader at a time: a new range ends the one before. */
export class BlobCursor {
  readonly #content: BlobContent;
  readonly #name: BlobName;
  #parts: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #position = 0;
  /** Counts ranges: only the latest may read. */
  #turn = 0;
  /** True while a range is unfinished. */
  #isReading = false;

  constructor(content: BlobContent, name: BlobName) {
    this.#content = content;
    this.#name = name;
  }

  /** Bytes handed out since the beginning of the blob. */
  get position(): number {
    return this.#position;
  }

  /**
   * The bytes from `start` up to but not including `end`. The content's own check at its end is awaited before the last
   * of them are handed out, so that a wrong blob is never sent whole.
   *
   * @throws SealrootError `corrupt` when the content is shorter; `failed` when another range has been requested
   *   meanwhile, as a registry may refuse a request whose body is still being sent; what the content throws
   */
  async *range(start: number, end: number): AsyncGenerator<Uint8Array> {
    const turn = ++this.#turn;
    if (this.#isReading) await this.close();
    this.#isReading = true;
    try {
      if (start !== this.#position || this.#parts === undefined) await this.#seek(start);
      while (this.#position < end) {
        const piece = await this.#next();
        this.#requireTurn(turn);
        const part = piece.subarray(0, end - this.#position);
        this.#rest = this.#rest.subarray(part.length);
        this.#position += part.length;
        if (this.#position === this.#name.size) await this.#expectEnd();
        yield part;
        this.#requireTurn(turn);
      }
    } finally {
      if (turn === this.#turn) this.#isReading = false;
    }
  }

  #requireTurn(turn: number): void {
    if (turn === this.#turn) return;
    throw new SealrootError("failed", `Cannot send blob ${this.#name.digest}: it is being sent again`);
  }

  /** Releases the content. */
  async close(): Promise<void> {
    await this.#parts?.return?.();
    this.#parts = undefined;
    this.#rest = new Uint8Array(0);
    this.#position = 0;
  }

  async #seek(start: number): Promise<void> {
    if (start < this.#position || this.#parts === undefined) {
      await this.close();
      this.#parts = this.#content.open()[Symbol.asyncIterator]();
    }
    while (this.#position < start) {
      const skipped = Math.min((await this.#next()).length, start - this.#position);
      this.#rest = this.#rest.subarray(skipped);
      this.#position += skipped;
    }
  }

  /** The rest of the current piece, or the next one. */
  async #next(): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#parts?.next();
      if (next === undefined || next.done === true) throw this.#otherSize(`${this.#position}`);
      this.#rest = next.value;
    }
    return this.#rest;
  }

  /** Nothing may follow; the content's check reports it when asked for more. */
  async #expectEnd(): Promise<void> {
    let isEnd = false;
    while (this.#rest.length === 0 && !isEnd) {
      const next = await this.#parts?.next();
      isEnd = next === undefined || next.done === true;
      if (next !== undefined && next.done !== true) this.#rest = next.value;
    }
    if (!isEnd) throw this.#otherSize(`over ${this.#name.size}`);
    this.#parts = undefined;
  }

  #otherSize(actual: string): SealrootError {
    const { digest, size } = this.#name;
    return new SealrootError("corrupt", `Cannot send blob ${digest}: it has ${actual} bytes, expected ${size}`, {
      expected: String(size),
      actual,
    });
  }
}
