/** CRC-64/ISO as Go's hash/crc64 computes it, the checksum of file bodies in tar-split data (spec/chunked-and-policy.md 1.5). */

/** The reflected polynomial is 0xD800000000000000: of the 64 bits of each table entry the lower 32 are zero. */
const POLYNOMIAL_HIGH = 0xd8000000;

const TABLE_HIGH: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1;
    low = ((low >>> 1) | (high << 31)) >>> 0;
    high = carry === 1 ? (high >>> 1) ^ POLYNOMIAL_HIGH : high >>> 1;
  }
  return high;
});

/** Initial value and final xor are all ones. */
export class Crc64 {
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): this {
    let high = this.#high;
    let low = this.#low;
    for (let at = 0; at < bytes.length; at++) {
      const index = (low ^ (bytes[at] as number)) & 0xff;
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) ^ (TABLE_HIGH[index] as number);
    }
    this.#high = high;
    this.#low = low;
    return this;
  }

  /** Eight bytes, big-endian. */
  digest(): Uint8Array {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(~this.#high, 0);
    bytes.writeInt32BE(~this.#low, 4);
    return bytes;
  }
}
