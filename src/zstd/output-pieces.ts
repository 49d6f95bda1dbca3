/** The memory that an inflater fills. */

/** One buffer after the other, of one size. */
export class OutputPieces {
  readonly #pieceBytes: number;
  readonly #free: Uint8Array[] = [];
  #buffer: Uint8Array | undefined;
  #usedBytes = 0;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  /** What is free of the current buffer: at least a byte, unless {@link isFull}. */
  get room(): Uint8Array {
    // Memory of its own, not of Node's pool, whose other parts are in use.
    this.#buffer ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#pieceBytes);
    return this.#buffer.subarray(this.#usedBytes);
  }

  get isFull(): boolean {
    return this.#usedBytes === this.#pieceBytes;
  }

  /** Bytes were put into {@link room}. */
  fill(lengthBytes: number): void {
    this.#usedBytes += lengthBytes;
  }

  /** Hands out what is filled, and begins another buffer. */
  take(): Uint8Array {
    const piece = this.#buffer?.subarray(0, this.#usedBytes) ?? new Uint8Array(0);
    this.#buffer = undefined;
    this.#usedBytes = 0;
    return piece;
  }

  /** Takes back a piece that nobody reads any more. */
  give(piece: Uint8Array): void {
    if (piece.buffer.byteLength === this.#pieceBytes) this.#free.push(new Uint8Array(piece.buffer));
  }
}
