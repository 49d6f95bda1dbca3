/** What both ways of hashing many messages have in common. */

export type HashAlgorithm = "sha256" | "sha512";

/** Digest length in bytes (FIPS 180-4). */
export const HASH_BYTES: Readonly<Record<HashAlgorithm, 32 | 64>> = { sha256: 32, sha512: 64 };

/** Takes messages of one length. */
export interface MessageQueue {
  /**
   * `count` messages, one after the other from `offset` of `source`; their digests go, one after the other, to
   * `targetOffset` of `target`. Neither may change, nor the digests be read, before the call that lent the queue returns.
   *
   * @throws RangeError when either is too short
   */
  add(source: Uint8Array, offset: number, count: number, target: Buffer, targetOffset: number): void;
}

/**
 * Hashes the messages that `fill` adds, all of `messageBytes`. When it returns or throws, nothing refers to their memory
 * any more; when it returns, all digests are in their places.
 */
export type MessageHasher = (
  algorithm: HashAlgorithm,
  messageBytes: number,
  fill: (queue: MessageQueue) => void,
) => void;

/** @throws RangeError as {@link MessageQueue.add} */
export function requireRoom(bytes: Uint8Array, offset: number, lengthBytes: number): void {
  if (offset >= 0 && lengthBytes >= 0 && offset + lengthBytes <= bytes.length) return;
  throw new RangeError(`${lengthBytes} bytes from ${offset} are not within ${bytes.length} bytes`);
}
