/** Numbers that only look random: the same inputs on every machine. */

/** xorshift32 (Marsaglia, "Xorshift RNGs", 2003): equal numbers everywhere matter, quality does not. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state;
  }

  /** 0..limit, half-open. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** Log-uniform between the bounds, both possible. */
  size(minBytes: number, maxBytes: number): number {
    return Math.floor(minBytes * (maxBytes / minBytes) ** (this.next() / 2 ** 32));
  }

  of<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("unreachable: chosen from nothing");
    return value;
  }
}
