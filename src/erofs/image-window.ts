/** The image under construction, of which only a part is in memory. */

/** Longer than an inode with all its attributes (under 300 KiB), or a block. */
const WINDOW_BYTES = 1 << 20;

/** Memory under two faces: numbers go through the view, which V8 compiles to plain stores, byte strings through the Buffer. */
export interface ImageBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/**
 * A part of the image, all zero where nothing was written. It moves forwards only: what is before it has been handed over.
 */
export class ImageWindow implements ImageBuffer {
  readonly bytes = Buffer.alloc(WINDOW_BYTES);
  readonly view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  #start = 0;

  /** Where a position of the image is in {@link bytes}. */
  offsetOf(position: number): number {
    return position - this.#start;
  }

  /** Whether what ends there can be written without moving. */
  holds(end: number): boolean {
    return this.offsetOf(end) <= WINDOW_BYTES;
  }

  /** Yields all bytes before `position`, each piece valid until the next is asked for, and moves there. */
  *moveTo(position: number): Generator<Uint8Array, void> {
    while (this.#start < position) {
      const piece = this.bytes.subarray(0, this.offsetOf(position));
      yield piece;
      piece.fill(0);
      this.#start += piece.length;
    }
  }
}
