/** Messages hashed many at once, in the lanes of the processor's vector registers, by libipsec-mb. */
import { type Availability, availabilityOf } from "./availability.ts";
import { answersAreRight } from "./known-answers.ts";
import { HASH_BYTES, type HashAlgorithm, type MessageHasher, type MessageQueue, requireRoom } from "./message-queue.ts";
import { BURST_JOBS, type MultiBufferManager, openMultiBuffer } from "./multi-buffer-library.ts";
import { putAddress, splitAddressOf } from "./native-address.ts";
import { portableHasher } from "./portable-hasher.ts";

/**
 * Longer messages are left to OpenSSL, which loses nothing by it. The library counts a lane's bytes in 16 bits: version 1.3.0
 * gives wrong SHA-512 digests of 65,536 bytes and more, without an error.
 */
const MESSAGE_MAX_BYTES = 16 << 10;

/** The hasher of this thread, opened and tested at the first call. */
export const multiBufferHasher = availabilityOf<MessageHasher>(() => openMultiBufferHasher());

/**
 * @param directories where the library is looked for; the system's folders if absent
 * @throws Error for a library that is known and does not behave
 */
export function openMultiBufferHasher(directories?: readonly string[]): Availability<MessageHasher> {
  const manager = openMultiBuffer(directories);
  if (typeof manager === "string") return { native: undefined, reason: manager };
  const native = hasherOf(manager);
  if (answersAreRight(native)) return { native, name: manager.name };
  return { native: undefined, reason: `${manager.name} computes wrong digests here` };
}

function hasherOf(manager: MultiBufferManager): MessageHasher {
  return (algorithm, messageBytes, fill) => {
    if (messageBytes > MESSAGE_MAX_BYTES) {
      portableHasher(algorithm, messageBytes, fill);
      return;
    }
    const burst = new Burst(manager, algorithm, messageBytes);
    fill(burst);
    burst.finish();
  };
}

/** Jobs that are being put together. None is in flight: the manager has them only while it runs. */
class Burst implements MessageQueue {
  readonly #manager: MultiBufferManager;
  readonly #algorithm: HashAlgorithm;
  readonly #messageBytes: number;
  readonly #digestBytes: number;
  /** What the jobs' addresses point to stays reachable. */
  #bytes: Uint8Array[] = [];
  #jobs = 0;

  constructor(manager: MultiBufferManager, algorithm: HashAlgorithm, messageBytes: number) {
    this.#manager = manager;
    this.#algorithm = algorithm;
    this.#messageBytes = messageBytes;
    this.#digestBytes = HASH_BYTES[algorithm];
  }

  add(source: Uint8Array, offset: number, count: number, target: Buffer, targetOffset: number): void {
    requireRoom(source, offset, count * this.#messageBytes);
    requireRoom(target, targetOffset, count * this.#digestBytes);
    const { words, firstJobWord, jobWords, sourceWord, tagWord } = this.#manager;
    this.#bytes.push(source, target);
    const from = splitAddressOf(source);
    const to = splitAddressOf(target);
    for (let index = 0; index < count; index++) {
      if (this.#jobs === BURST_JOBS) {
        this.#run();
        this.#bytes.push(source, target);
      }
      const base = firstJobWord + this.#jobs * jobWords;
      putAddress(words, base + sourceWord, from, offset + index * this.#messageBytes);
      putAddress(words, base + tagWord, to, targetOffset + index * this.#digestBytes);
      this.#jobs++;
    }
  }

  finish(): void {
    if (this.#jobs > 0) this.#run();
  }

  #run(): void {
    this.#manager.run(this.#algorithm, this.#messageBytes, this.#jobs);
    this.#jobs = 0;
    this.#bytes = [];
  }
}
