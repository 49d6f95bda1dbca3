/** Messages hashed one by one, by node:crypto. */
import { hash } from "node:crypto";
import { HASH_BYTES, type MessageHasher, type MessageQueue, requireRoom } from "./message-queue.ts";

export const portableHasher: MessageHasher = (algorithm, messageBytes, fill) => {
  const digestBytes = HASH_BYTES[algorithm];
  const queue: MessageQueue = {
    add(source, offset, count, target, targetOffset) {
      requireRoom(source, offset, count * messageBytes);
      requireRoom(target, targetOffset, count * digestBytes);
      for (let index = 0; index < count; index++) {
        const start = offset + index * messageBytes;
        // As text: a Buffer for each digest would cost 0.7 µs, a fifth of hashing a block.
        const digest = hash(algorithm, source.subarray(start, start + messageBytes), "binary");
        target.write(digest, targetOffset + index * digestBytes, "latin1");
      }
    },
  };
  fill(queue);
};
