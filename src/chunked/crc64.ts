/** CRC-64/ISO as Go's hash/crc64 computes it, the checksum of file bodies in tar-split data (spec/chunked-and-policy.md 1.5). */

/**
 * The reflected polynomial is 0xd800000000000000: its bits 63, 62, 60 and 59. What leaves at the low end comes back
 * only at these four places, and 32 bits that leave together cannot meet their own feedback before all are out. So a
 * word is four shifts, without a table: 500 MiB/s on a busy machine, where a byte table gives 190.
 */
export class Crc64 {
  // Initial value and final xor are all ones.
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): this {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wordsEnd = bytes.length - (bytes.length % 4);
    let high = this.#high;
    let low = this.#low;
    let at = 0;
    for (; at < wordsEnd; at += 4) {
      const leaving = low ^ view.getInt32(at, true);
      low = high ^ (leaving << 31) ^ (leaving << 29) ^ (leaving << 28);
      high = leaving ^ (leaving >>> 1) ^ (leaving >>> 3) ^ (leaving >>> 4);
    }
    for (; at < bytes.length; at++) {
      const leaving = (low ^ view.getUint8(at)) & 0xff;
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) ^ (leaving << 24) ^ (leaving << 23) ^ (leaving << 21) ^ (leaving << 20);
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
