/** Messages out of a stream: JSON, each ended by a NUL byte (varlink.org, "Protocol"). */
import { SealrootError } from "../errors/index.ts";

/** No call of ours is near it; more is an attack on memory. */
export const MESSAGE_MAX_BYTES = 1 << 20;

export class MessageReader {
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  /**
   * @returns the messages that are complete with these bytes, without their NUL
   * @throws SealrootError `corrupt` for a message of more than {@link MESSAGE_MAX_BYTES}
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const complete: Uint8Array[] = [];
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(0, start);
      const piece = bytes.subarray(start, end < 0 ? undefined : end);
      this.#sizeBytes += piece.length;
      if (this.#sizeBytes > MESSAGE_MAX_BYTES) {
        throw new SealrootError("corrupt", `Cannot read the call: it has more than ${MESSAGE_MAX_BYTES} bytes`);
      }
      if (piece.length > 0) this.#parts.push(piece);
      if (end < 0) return complete;
      complete.push(Buffer.concat(this.#parts));
      this.#parts = [];
      this.#sizeBytes = 0;
      start = end + 1;
    }
  }

  /** True when a message has begun and not ended. */
  get hasRest(): boolean {
    return this.#sizeBytes > 0;
  }
}
