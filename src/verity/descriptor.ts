/** The 256-byte fs-verity descriptor (struct fsverity_descriptor; spec/erofs.md 5.1). */
import { hash } from "node:crypto";
import { ByteCursor, ByteWriter, toHex } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { ALGORITHM_NUMBER, DIGEST_BYTES, type VerityAlgorithm } from "./algorithm.ts";

export const DESCRIPTOR_BYTES = 256;
const DESCRIPTOR_VERSION = 1;
const LOG2_BLOCK_SIZE = 12;

/** What a descriptor says, and the digest that follows from it. */
export interface VerityDescriptor {
  readonly algorithm: VerityAlgorithm;
  /** Length of the file. */
  readonly sizeBytes: number;
  readonly rootHash: Uint8Array;
  /** The file digest, lower-case hex. */
  readonly digest: string;
}

/** The descriptor's bytes for a file of `sizeBytes` whose Merkle tree has this root. */
export function verityDescriptor(algorithm: VerityAlgorithm, sizeBytes: number, rootHash: Uint8Array): Uint8Array {
  const writer = new ByteWriter(DESCRIPTOR_BYTES);
  writer.u8(DESCRIPTOR_VERSION).u8(ALGORITHM_NUMBER[algorithm]).u8(LOG2_BLOCK_SIZE);
  writer.u8(0).u32(0); // no salt, no signature
  writer.u64(sizeBytes).bytes(rootHash);
  return writer.padTo(DESCRIPTOR_BYTES).finish();
}

/** The file digest: the plain hash of the descriptor. */
export function descriptorDigest(descriptor: Uint8Array, algorithm: VerityAlgorithm): Uint8Array {
  return hash(algorithm, descriptor, "buffer");
}

/**
 * Reads a descriptor as sealroot and composefs write it: version 1, 4096-byte blocks, no salt, no signature.
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
  const digest = toHex(descriptorDigest(bytes.subarray(0, DESCRIPTOR_BYTES), algorithm));
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
