/** Memory for the small bodies that the parser passes on. */

/** Kept as long as any of the small bodies in it. */
const SLAB_BYTES = 16 << 10;

/** Small bodies share a buffer: separate ones would cost 200 bytes each. */
export class BodyMemory {
  #slab = new Uint8Array(0);
  #usedBytes = SLAB_BYTES;

  /** Bytes that nobody else has or will have. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes > SLAB_BYTES / 8) return new Uint8Array(sizeBytes);
    if (sizeBytes > SLAB_BYTES - this.#usedBytes) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#usedBytes = 0;
    }
    this.#usedBytes += sizeBytes;
    return this.#slab.subarray(this.#usedBytes - sizeBytes, this.#usedBytes);
  }
}
