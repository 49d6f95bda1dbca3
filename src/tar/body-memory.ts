/** Memory for the small bodies that the parser hands on. */

/** Kept as long as any of the small bodies in it. */
const SLAB_BYTES = 16 << 10;

/** Small bodies share a buffer: one of its own costs each of them 200 bytes. */
export class BodyMemory {
  #slab = new Uint8Array(0);
  #usedBytes = SLAB_BYTES;

  /** Bytes that nobody else has, or will have. */
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
