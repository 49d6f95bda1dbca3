/** Pseudo-random numbers from a seed: the same seed gives the same numbers on every machine. */

/** xorshift32 with a multiplied output (Marsaglia 2003, Vigna's star variant); good enough to choose mutations. */
export class Random {
  #state: number;

  /** @param parts mixed into the seed, numbers and text alike */
  constructor(...parts: readonly (number | string)[]) {
    this.#state = fnv1a(parts.join("\0")) || 1;
  }

  /** An integer in 0..limit (half-open); 0 when `limit` is 0. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.floor(((Math.imul(this.#state, 0x9e3779b1) >>> 0) / 2 ** 32) * limit);
  }

  /** One of the items, of which there must be some. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("pick() of nothing");
    return item;
  }
}

/** FNV-1a, 32 bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
