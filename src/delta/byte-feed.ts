/** A stream of bytes, read in the pieces that a format asks for. */
import { corrupt } from "../errors/index.ts";

/** A variable-length integer has seven bits a byte; more than these do not fit into a safe integer. */
const VARINT_MAX_BYTES = 8;

export class ByteFeed {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;
  #offset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** The next byte; undefined at the end. */
  async byte(): Promise<number | undefined> {
    if (!(await this.#fill())) return undefined;
    this.#offset++;
    return this.#piece[this.#at++];
  }

  /**
   * An unsigned integer in groups of seven bits, the lowest first (Protocol Buffers, "Base 128 Varints").
   * @throws SealrootError `corrupt` for one beyond 2^53
   */
  async varint(): Promise<number> {
    let value = 0;
    for (let index = 0; index < VARINT_MAX_BYTES; index++) {
      const byte = await this.byte();
      if (byte === undefined) throw this.#ended();
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
    }
    throw corrupt("Cannot read the tar-diff: a number is too large", { offset: this.#offset });
  }

  /**
   * The next bytes, in pieces that are valid until the next is requested.
   * @throws SealrootError `corrupt` when there are fewer
   */
  async *pieces(sizeBytes: number): AsyncGenerator<Uint8Array> {
    for (let left = sizeBytes; left > 0; ) {
      if (!(await this.#fill())) throw this.#ended();
      const piece = this.#piece.subarray(this.#at, this.#at + left);
      this.#at += piece.length;
      this.#offset += piece.length;
      left -= piece.length;
      yield piece;
    }
  }

  /** All bytes that are left. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.#fill()) {
      const piece = this.#piece.subarray(this.#at);
      this.#at += piece.length;
      this.#offset += piece.length;
      yield piece;
    }
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#at === this.#piece.length) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#piece = next.value;
      this.#at = 0;
    }
    return true;
  }

  #ended() {
    return corrupt("Cannot read the tar-diff: it ends in the middle of an operation", { offset: this.#offset });
  }
}
