/**
 * The hash by which large directories are ordered: half an MD4 over the name, seeded (Linux
 * Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories"; the hash itself is that of ext2fs_dirhash in
 * e2fsprogs and fs/ext4/hash.c).
 */
import { ByteCursor, type ByteString, fromHex } from "../bytes/index.ts";

/** Where a name is: by the first number, then by the second. */
export interface NameHash {
  /** Even; the lowest bit marks continuations in the index. */
  readonly major: number;
  readonly minor: number;
}

/** Four words of a superblock's s_hash_seed. */
export type HashSeed = readonly [number, number, number, number];

/** MD4's own beginning, for a seed of zeros. */
const MD4_START: HashSeed = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
const WORDS_PER_ROUND = 8;
const BYTES_PER_ROUND = 32;
/** The largest position is reserved for the end of the directory. */
const END_OF_DIRECTORY = 0xfffffffe;

/** The words of a seed that is given to mke2fs as a UUID. */
export function readHashSeed(uuid: string): HashSeed {
  const cursor = new ByteCursor(fromHex(uuid.replaceAll("-", "")), "hash seed");
  return [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()];
}

/** The hash of a name, its bytes taken as signed numbers. */
export function directoryHash(name: ByteString, seed: HashSeed): NameHash {
  const state = new Uint32Array(seed.some((word) => word !== 0) ? seed : MD4_START);
  const words = new Uint32Array(WORDS_PER_ROUND);
  for (let offset = 0; offset < name.length; offset += BYTES_PER_ROUND) {
    fillWords(words, name, offset);
    halfMd4(state, words);
  }
  const major = ((state[1] as number) & ~1) >>> 0;
  return { major: major === END_OF_DIRECTORY ? END_OF_DIRECTORY - 2 : major, minor: state[2] as number };
}

/** Up to 32 bytes of the name in words, the first byte highest; missing bytes are filled with the remaining length. */
function fillWords(words: Uint32Array, name: string, offset: number): void {
  const left = name.length - offset;
  const padByte = left & 0xff;
  const pad = (padByte | (padByte << 8) | (padByte << 16) | (padByte << 24)) >>> 0;
  const length = Math.min(left, BYTES_PER_ROUND);
  words.fill(pad);
  for (let start = 0; start < length; start += 4) {
    let word = pad;
    for (let index = start; index < Math.min(start + 4, length); index++) {
      const signed = (name.charCodeAt(offset + index) << 24) >> 24;
      word = (signed + (word << 8)) | 0;
    }
    words[start / 4] = word;
  }
}

type Mix = (x: number, y: number, z: number) => number;
const choose: Mix = (x, y, z) => z ^ (x & (y ^ z));
const majority: Mix = (x, y, z) => (x & y) + ((x ^ y) & z);
const parity: Mix = (x, y, z) => x ^ y ^ z;

/** Function, constant, order of the words, rotations of each of the three passes (RFC 1320, 3.4, each halved). */
const PASSES: readonly { mix: Mix; constant: number; order: readonly number[]; shifts: readonly number[] }[] = [
  { mix: choose, constant: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], shifts: [3, 7, 11, 19] },
  { mix: majority, constant: 0x5a827999, order: [1, 3, 5, 7, 0, 2, 4, 6], shifts: [3, 5, 9, 13] },
  { mix: parity, constant: 0x6ed9eba1, order: [3, 7, 2, 6, 1, 5, 0, 4], shifts: [3, 9, 11, 15] },
];

function halfMd4(state: Uint32Array, words: Uint32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (const { mix, constant, order, shifts } of PASSES) {
    for (let step = 0; step < WORDS_PER_ROUND; step++) {
      const sum = (a + mix(b, c, d) + (words[order[step] as number] as number) + constant) | 0;
      const shift = shifts[step % 4] as number;
      const turned = (sum << shift) | (sum >>> (32 - shift));
      [a, b, c, d] = [d, turned, b, c];
    }
  }
  for (const [index, value] of [a, b, c, d].entries()) state[index] = (state[index] as number) + value;
}
