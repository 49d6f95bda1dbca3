/** The test that a library must pass in each thread before it is used. It takes about as long as hashing a megabyte. */
import { createHash } from "node:crypto";
import { HASH_BYTES, type HashAlgorithm, type MessageHasher } from "./message-queue.ts";
import { portableHasher } from "./portable-hasher.ts";

/** One more than SHA-256 has lanes with AVX-512, so that every lane is used and one twice. */
const MESSAGES = 17;
/** Around the padding of both hashes (FIPS 180-4, 5.1), odd ones, a descriptor, a block, and more than that. */
const LENGTHS = [1, 55, 56, 64, 111, 112, 128, 256, 1001, 4096, 4097];

/** Whether a hasher's digests are OpenSSL's: for all lengths with all lanes full, and for any number of messages. */
export function answersAreRight(hasher: MessageHasher): boolean {
  const bytes = createHash("shake256", { outputLength: MESSAGES * Math.max(...LENGTHS) }).digest();
  const counts = Array.from({ length: MESSAGES }, (_, index) => index + 1);
  return (["sha256", "sha512"] as const).every(
    (algorithm) =>
      LENGTHS.every((lengthBytes) => agree(hasher, algorithm, bytes, lengthBytes, MESSAGES)) &&
      counts.every((count) => agree(hasher, algorithm, bytes, 3, count)),
  );
}

function agree(
  hasher: MessageHasher,
  algorithm: HashAlgorithm,
  bytes: Buffer,
  lengthBytes: number,
  count: number,
): boolean {
  const digestsBy = (one: MessageHasher): Buffer => {
    const target = Buffer.alloc(HASH_BYTES[algorithm] * count);
    one(algorithm, lengthBytes, (queue) => queue.add(bytes, 0, count, target, 0));
    return target;
  };
  return digestsBy(hasher).equals(digestsBy(portableHasher));
}
