/** The reader that all format rooms share. */
import { corrupt } from "../errors/index.ts";

/**
 * Reads consecutive little-endian fields and refuses to go past the end.
 *
 * Offsets are from the beginning of the given bytes. `what` names the input in errors ("EROFS image").
 */
export class ByteCursor {
  readonly bytes: Uint8Array;
  readonly what: string;
  offset: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, what: string, offset = 0) {
    this.bytes = bytes;
    this.what = what;
    this.offset = offset;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes left after the cursor. */
  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /**
   * A 64-bit length or offset as a number.
   * @throws SealrootError `corrupt` above 2^53 - 1, which no real offset reaches
   */
  size(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw corrupt(`Cannot read ${this.what}: 64-bit value ${value} is out of range`, { offset: this.offset - 8 });
    }
    return Number(value);
  }

  /** A view (not a copy) of the next `length` bytes. */
  take(length: number): Uint8Array {
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  #take(length: number): number {
    const start = this.offset;
    if (length < 0 || start < 0 || start + length > this.bytes.length) {
      throw corrupt(`Cannot read ${this.what}: ${length} bytes wanted at offset ${start}, ${this.remaining} left`, {
        offset: start,
      });
    }
    this.offset = start + length;
    return start;
  }
}
