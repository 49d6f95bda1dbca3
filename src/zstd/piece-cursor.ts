/** Bytes that come in pieces, read one after the other. */

export class PieceCursor {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;
  #readBytes = 0;

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** Bytes that were passed by. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** What is left of the current piece. It is valid until the next one is asked for. */
  get rest(): Uint8Array {
    return this.#piece.subarray(this.#at);
  }

  /** Passes bytes of {@link rest} by. */
  skip(lengthBytes: number): void {
    this.#at += lengthBytes;
    this.#readBytes += lengthBytes;
  }

  /** Puts bytes that were passed by before {@link rest} again. */
  putBack(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#readBytes -= bytes.length;
    // They were the last ones of this piece, unless it came after them.
    if (this.#at >= bytes.length) {
      this.#at -= bytes.length;
      return;
    }
    this.#piece = Buffer.concat([bytes, this.rest]);
    this.#at = 0;
  }

  /**
   * Makes sure that there is at least a byte in {@link rest}.
   * @returns false at the end of all pieces
   */
  async more(): Promise<boolean> {
    while (this.#at === this.#piece.length) {
      const next = await this.#pieces.next();
      if (next.done === true) return false;
      this.#piece = next.value;
      this.#at = 0;
    }
    return true;
  }
}
