/**
 * CRC-64/ISO as Go's hash/crc64 has it: reflected, polynomial 0xd800000000000000, start and final XOR all ones
 * (ISO 3309; spec/chunked-and-policy.md 1.5). tar-split notes it for each body.
 */

/** The reflected polynomial's upper half; the lower is zero. */
const POLYNOMIAL_HIGH = 0xd8000000;

/** Eight tables of 256 entries, upper and lower halves apart: eight bytes are taken at a time ("slicing by 8"). */
interface Tables {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

let tables: Tables | undefined;

function makeTables(): Tables {
  const high = new Uint32Array(8 * 256);
  const low = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let upper = 0;
    let lower = byte;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (lower & 1) === 1;
      lower = (lower >>> 1) | (upper << 31);
      upper = isOdd ? (upper >>> 1) ^ POLYNOMIAL_HIGH : upper >>> 1;
    }
    high[byte] = upper;
    low[byte] = lower;
  }
  // Table k is table k-1 with one zero byte more behind it.
  for (let index = 256; index < 8 * 256; index++) {
    const upper = high[index - 256] ?? 0;
    const lower = low[index - 256] ?? 0;
    const byte = lower & 0xff;
    high[index] = (upper >>> 8) ^ (high[byte] ?? 0);
    low[index] = ((lower >>> 8) | (upper << 24)) ^ (low[byte] ?? 0);
  }
  return { high, low };
}

/** The checksum of bytes that come in pieces. */
export class Crc64 {
  #high = ~0;
  #low = ~0;

  update(bytes: Uint8Array): this {
    tables ??= makeTables();
    const { high, low } = tables;
    let upper = this.#high;
    let lower = this.#low;
    let at = 0;
    const at8 = (index: number) => bytes[index] ?? 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      lower ^= at8(at) | (at8(at + 1) << 8) | (at8(at + 2) << 16) | (at8(at + 3) << 24);
      upper ^= at8(at + 4) | (at8(at + 5) << 8) | (at8(at + 6) << 16) | (at8(at + 7) << 24);
      const a = 0x700 | (lower & 0xff);
      const b = 0x600 | ((lower >>> 8) & 0xff);
      const c = 0x500 | ((lower >>> 16) & 0xff);
      const d = 0x400 | (lower >>> 24);
      const e = 0x300 | (upper & 0xff);
      const f = 0x200 | ((upper >>> 8) & 0xff);
      const g = 0x100 | ((upper >>> 16) & 0xff);
      const h = upper >>> 24;
      upper = xor8(high, a, b, c, d, e, f, g, h);
      lower = xor8(low, a, b, c, d, e, f, g, h);
    }
    for (; at < bytes.length; at++) {
      const index = (lower ^ at8(at)) & 0xff;
      lower = ((lower >>> 8) | (upper << 24)) ^ (low[index] ?? 0);
      upper = (upper >>> 8) ^ (high[index] ?? 0);
    }
    this.#high = upper;
    this.#low = lower;
    return this;
  }

  /** Of all bytes so far: 16 hexadecimal digits. */
  hexDigest(): string {
    const half = (value: number) => (~value >>> 0).toString(16).padStart(8, "0");
    return half(this.#high) + half(this.#low);
  }
}

function xor8(
  table: Uint32Array,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
  g: number,
  h: number,
): number {
  return (
    (table[a] ?? 0) ^
    (table[b] ?? 0) ^
    (table[c] ?? 0) ^
    (table[d] ?? 0) ^
    (table[e] ?? 0) ^
    (table[f] ?? 0) ^
    (table[g] ?? 0) ^
    (table[h] ?? 0)
  );
}
