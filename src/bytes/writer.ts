/** The writer that all format rooms share. */

/**
 * Writes little-endian fields into a growing buffer. `offset` is both the write position and the length so far.
 */
export class ByteWriter {
  #buffer: Uint8Array;
  #view: DataView;
  #offset = 0;

  /** @param capacityBytes first allocation; the buffer doubles whenever it is full */
  constructor(capacityBytes = 4096) {
    this.#buffer = new Uint8Array(capacityBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get offset(): number {
    return this.#offset;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** 64 bits, two's complement for a negative value. */
  u64(value: bigint | number): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    return this;
  }

  bytes(source: Uint8Array): this {
    const at = this.#reserve(source.length);
    this.#buffer.set(source, at);
    return this;
  }

  /** The bytes of a string whose code units are all below 256: ASCII text or a ByteString. */
  latin1(source: string): this {
    const at = this.#reserve(source.length);
    Buffer.from(this.#buffer.buffer).write(source, at, "latin1");
    return this;
  }

  zeros(length: number): this {
    this.#reserve(length);
    return this;
  }

  /** Zeros up to the next multiple of `alignment`. */
  padTo(alignment: number): this {
    const rest = this.#offset % alignment;
    return rest === 0 ? this : this.zeros(alignment - rest);
  }

  /** What was written so far: a view, valid until the next write. */
  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#offset);
  }

  #reserve(length: number): number {
    const start = this.#offset;
    const end = start + length;
    if (end > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(end, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, start));
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#offset = end;
    return start;
  }
}
