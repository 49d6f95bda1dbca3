/** Mutations of byte inputs: what a hostile or broken writer might do to a good one. */
import type { Random } from "./random.ts";

/** Larger inputs are cut: the readers' limits on size have tests of their own. */
const INPUT_MAX_BYTES = 192 << 10;
const MUTATIONS_MAX = 6;
/** Values at which lengths, counts and offsets go wrong. */
const EDGES = [
  0,
  1,
  2,
  7,
  8,
  31,
  32,
  63,
  64,
  127,
  128,
  255,
  256,
  511,
  512,
  4095,
  4096,
  65535,
  2 ** 31 - 1,
  2 ** 32 - 1,
];
const EDGE_BYTES = [0, 1, 0x0a, 0x20, 0x2d, 0x2e, 0x2f, 0x30, 0x37, 0x3d, 0x5c, 0x7f, 0x80, 0xff];

/** A changed copy of `input`; `other` is a second good input to take parts from. */
export function mutateBytes(input: Uint8Array, other: Uint8Array, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let count = 1 + random.below(MUTATIONS_MAX); count > 0; count--) {
    bytes = random.pick(MUTATIONS)(bytes, random, other).subarray(0, INPUT_MAX_BYTES);
  }
  return Buffer.from(bytes);
}

type Mutation = (bytes: Buffer, random: Random, other: Uint8Array) => Buffer;

const flipBit: Mutation = (bytes, random) => {
  const at = offsetIn(bytes, random);
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
};

const setByte: Mutation = (bytes, random) => {
  if (bytes.length > 0) bytes[offsetIn(bytes, random)] = random.pick([...EDGE_BYTES, random.below(256)]);
  return bytes;
};

const setInteger: Mutation = (bytes, random) => {
  const width = random.pick([2, 4, 8]);
  if (bytes.length < width) return bytes;
  const at = Math.min(offsetIn(bytes, random) & -width, bytes.length - width);
  const value = BigInt.asUintN(8 * width, BigInt(random.pick(EDGES)) - BigInt(random.below(3)));
  for (let byte = 0; byte < width; byte++) bytes[at + byte] = Number((value >> BigInt(8 * byte)) & 0xffn);
  return bytes;
};

const remove: Mutation = (bytes, random) => {
  const start = random.below(bytes.length);
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + partLength(bytes, random))]);
};

const repeat: Mutation = (bytes, random) => {
  const start = random.below(bytes.length);
  const part = bytes.subarray(start, start + partLength(bytes, random));
  return insert(bytes, random, Buffer.concat(Array.from({ length: 1 + random.below(8) }, () => part)));
};

const insertRun: Mutation = (bytes, random) => {
  const length = random.pick([1, 2, 8, 255, 256, 4096, 70_000]);
  return insert(bytes, random, Buffer.alloc(length, random.pick([...EDGE_BYTES, 0x39, 0x61])));
};

const splice: Mutation = (bytes, random, other) => {
  const start = random.below(other.length);
  return insert(bytes, random, other.subarray(start, start + partLength(other, random)));
};

const overwrite: Mutation = (bytes, random, other) => {
  const start = random.below(other.length);
  bytes.set(other.subarray(start, start + Math.min(64, bytes.length)).subarray(0, bytes.length), 0);
  return bytes;
};

const copyInside: Mutation = (bytes, random) => {
  const target = random.below(bytes.length);
  bytes.copy(bytes, target, offsetIn(bytes, random));
  return bytes;
};

const cut: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1));

/** Small changes come more often than those after which little is left to read. */
const MUTATIONS: readonly Mutation[] = [
  ...[flipBit, flipBit, flipBit, setByte, setByte, setByte, setInteger, setInteger, setInteger],
  ...[remove, repeat, insertRun, splice, overwrite, copyInside, cut],
];

function insert(bytes: Buffer, random: Random, part: Uint8Array): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
}

/** Mostly short. */
function partLength(bytes: Uint8Array, random: Random): number {
  return 1 + random.below(random.pick([4, 16, 64, 512, bytes.length]));
}

/** Prefers bytes that are not zero: in padding a change means nothing. */
function offsetIn(bytes: Uint8Array, random: Random): number {
  let at = random.below(bytes.length);
  for (let attempt = 0; attempt < 8 && bytes[at] === 0; attempt++) at = random.below(bytes.length);
  return at;
}
