/** The test that a library must pass in each thread before it is used. */
import { HASH_BYTES, type HashAlgorithm, type MessageHasher } from "./message-queue.ts";
import { portableHasher } from "./portable-hasher.ts";

/** One more than SHA-256 has lanes with AVX-512, so that every lane is used and one twice. */
const MESSAGES = 17;
/** Around the padding of both hashes (FIPS 180-4, 5.1), odd ones, a descriptor, a block, and their neighbours. */
const LENGTHS = [1, 3, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 256, 1001, 4095, 4096, 4097];

/** Whether a hasher's digests are OpenSSL's: all lanes full, each number of lanes, and every length above. */
export function answersAreRight(hasher: MessageHasher): boolean {
  return (["sha256", "sha512"] as const).every(
    (algorithm) =>
      LENGTHS.every((lengthBytes) => agree(hasher, algorithm, lengthBytes, MESSAGES)) &&
      Array.from({ length: MESSAGES }, (_, index) => index).every((count) => agree(hasher, algorithm, 256, count)),
  );
}

function agree(hasher: MessageHasher, algorithm: HashAlgorithm, lengthBytes: number, count: number): boolean {
  const messages = Buffer.alloc(lengthBytes * count);
  for (let at = 0; at < messages.length; at++) messages[at] = (at * 167 + (at >> 8) * 13 + lengthBytes) & 0xff;
  const digests = [hasher, portableHasher].map((one) => {
    const target = Buffer.alloc(HASH_BYTES[algorithm] * count);
    one(algorithm, lengthBytes, (queue) => queue.add(messages, 0, count, target, 0));
    return target;
  });
  return digests[0]?.equals(digests[1] ?? Buffer.alloc(0)) ?? false;
}
