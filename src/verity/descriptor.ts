/** The 256-byte fs-verity descriptor (struct fsverity_descriptor; spec/erofs.md 5.1). */
import { hash } from "node:crypto";
import { ByteCursor } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { ALGORITHM_NUMBER, DIGEST_BYTES, type VerityAlgorithm } from "./algorithm.ts";

export const DESCRIPTOR_BYTES = 256;
const DESCRIPTOR_VERSION = 1;
const LOG2_BLOCK_SIZE = 12;
const SIZE_OFFSET = 8;
const ROOT_HASH_OFFSET = 16;

/** What a descriptor says, and the resulting digest. */
export interface VerityDescriptor {
  readonly algorithm: VerityAlgorithm;
  /** Length of the file. */
  readonly sizeBytes: number;
  readonly rootHash: Uint8Array;
  /** The file digest, lower-case hex. */
  readonly digest: string;
}

/** Where descriptors are assembled: one for each file would be garbage at once. */
const scratch = Buffer.alloc(DESCRIPTOR_BYTES);

/** The descriptor's bytes for a file of `sizeBytes` whose Merkle tree has this root. */
export function verityDescriptor(algorithm: VerityAlgorithm, sizeBytes: number, rootHash: Uint8Array): Uint8Array {
  return Uint8Array.from(writeDescriptor(scratch, algorithm, sizeBytes, rootHash));
}

/** The file digest as lower-case hex: the plain hash of the descriptor. */
export function fileDigest(algorithm: VerityAlgorithm, sizeBytes: number, rootHash: Uint8Array): string {
  return hash(algorithm, writeDescriptor(scratch, algorithm, sizeBytes, rootHash), "hex");
}

/** Fills {@link DESCRIPTOR_BYTES} bytes. @returns the same bytes */
export function writeDescriptor(
  target: Buffer,
  algorithm: VerityAlgorithm,
  sizeBytes: number,
  rootHash: Uint8Array,
): Buffer {
  target.fill(0);
  target[0] = DESCRIPTOR_VERSION;
  target[1] = ALGORITHM_NUMBER[algorithm];
  target[2] = LOG2_BLOCK_SIZE; // no salt, no signature
  target.writeUInt32LE(sizeBytes % 2 ** 32, SIZE_OFFSET);
  target.writeUInt32LE(Math.floor(sizeBytes / 2 ** 32), SIZE_OFFSET + 4);
  target.set(rootHash, ROOT_HASH_OFFSET);
  return target;
}

/**
 * Reads a descriptor as written by sealroot and composefs: version 1, 4096-byte blocks, no salt, no signature.
 * @throws SealrootError `corrupt` for anything else, naming the field's offset
 */
export function readVerityDescriptor(bytes: Uint8Array): VerityDescriptor {
  const cursor = new ByteCursor(bytes, "fs-verity descriptor");
  expectField(cursor.u8(), DESCRIPTOR_VERSION, "version", 0);
  const algorithm = algorithmOfNumber(cursor.u8());
  expectField(cursor.u8(), LOG2_BLOCK_SIZE, "block size exponent", 2);
  expectField(cursor.u8(), 0, "salt size", 3);
  expectField(cursor.u32(), 0, "signature size", 4);
  const sizeBytes = cursor.size();
  const rootHash = cursor.take(DIGEST_BYTES[algorithm]);
  const rest = cursor.take(DESCRIPTOR_BYTES - cursor.offset);
  const nonZero = rest.findIndex((byte) => byte !== 0);
  if (nonZero !== -1) {
    const offset = DESCRIPTOR_BYTES - rest.length + nonZero;
    throw corrupt(`Cannot read fs-verity descriptor: byte ${offset} of the unused part is not zero`, { offset });
  }
  const digest = hash(algorithm, bytes.subarray(0, DESCRIPTOR_BYTES), "hex");
  return { algorithm, sizeBytes, rootHash, digest };
}

function algorithmOfNumber(value: number): VerityAlgorithm {
  if (value === ALGORITHM_NUMBER.sha256) return "sha256";
  if (value === ALGORITHM_NUMBER.sha512) return "sha512";
  throw corrupt(`Cannot read fs-verity descriptor: unknown hash algorithm ${value}`, { offset: 1, expected: "1 or 2" });
}

function expectField(actual: number, expected: number, field: string, offset: number): void {
  if (actual === expected) return;
  throw corrupt(`Cannot read fs-verity descriptor: ${field} is ${actual}, not ${expected}`, {
    offset,
    expected: String(expected),
    actual: String(actual),
  });
}
