/** Addresses as structures hold them: 64 bits, little-endian, in two words. */
import { addressOfBuffer } from "../platform/index.ts";

/** An address as two numbers; `low` may be more than a word holds. */
export interface SplitAddress {
  readonly low: number;
  readonly high: number;
}

export const WORD_BYTES = 4;
const WORD = 2 ** (8 * WORD_BYTES);

/** An array buffer's memory does not move; one that was transferred has no bytes left that a view could name. */
const known = new WeakMap<ArrayBufferLike, SplitAddress>();

/** Where the bytes are. The caller keeps them reachable while the address is used. */
export function splitAddressOf(bytes: Uint8Array): SplitAddress {
  let base = known.get(bytes.buffer);
  if (base === undefined) {
    const address = addressOfBuffer(bytes.buffer);
    base = { low: Number(address & 0xffff_ffffn), high: Number(address >> 32n) };
    known.set(bytes.buffer, base);
  }
  return { low: base.low + bytes.byteOffset, high: base.high };
}

/** Writes the address `offset` bytes after `address` into two words. */
export function putAddress(words: Uint32Array, index: number, address: SplitAddress, offset: number): void {
  const low = address.low + offset;
  words[index] = low % WORD;
  words[index + 1] = address.high + Math.floor(low / WORD);
}

/** How far the address in two words is after `address`. */
export function distanceFrom(address: SplitAddress, words: Uint32Array, index: number): number {
  return ((words[index + 1] ?? 0) - address.high) * WORD + (words[index] ?? 0) - address.low;
}

/** Memory for structures, zero, at an address that is a multiple of 64. */
export function alignedMemory(sizeBytes: number): Buffer {
  const memory = Buffer.alloc(sizeBytes + 64);
  const start = Number(-addressOf(memory) & 63n);
  return memory.subarray(start, start + sizeBytes);
}

/** Valid while `bytes` is reachable. */
export function addressOf(bytes: Uint8Array): bigint {
  return addressOfBuffer(bytes.buffer) + BigInt(bytes.byteOffset);
}

/** The same memory in words. */
export function wordsOf(memory: Buffer): Uint32Array {
  return new Uint32Array(memory.buffer, memory.byteOffset, Math.floor(memory.length / WORD_BYTES));
}
