/** Hashing many messages of one length: by the library where that is worth it. */
import type { HashAlgorithm, MessageQueue } from "./message-queue.ts";
import { multiBufferHasher } from "./multi-buffer-hasher.ts";
import { portableHasher } from "./portable-hasher.ts";
import { primitivesWish } from "./wish.ts";

/** A round of all lanes takes as long as two or three messages one by one. */
const MESSAGES_MIN = 4;
/** Loading koffi and the library and testing it takes as long as hashing about this much. */
const LOAD_AFTER_BYTES = 4 << 20;

let seenBytes = 0;

/**
 * Hashes messages of one length, in this thread.
 *
 * @param messages how many `fill` will add, about: few are not worth a round of all lanes
 * @param fill adds them; when this function returns, their digests are in their places
 * @throws RangeError as {@link MessageQueue.add}; Error for a library that fails although it had passed its test
 */
export function hashMessages(
  algorithm: HashAlgorithm,
  messageBytes: number,
  messages: number,
  fill: (queue: MessageQueue) => void,
): void {
  const native = messages < MESSAGES_MIN ? undefined : nativeHasher(messages * messageBytes);
  (native ?? portableHasher)(algorithm, messageBytes, fill);
}

function nativeHasher(sizeBytes: number) {
  seenBytes += sizeBytes;
  if (seenBytes < LOAD_AFTER_BYTES && primitivesWish() !== "native") return undefined;
  return multiBufferHasher().native;
}
