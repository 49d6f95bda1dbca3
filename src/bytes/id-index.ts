/** Numbers for ids that are kept elsewhere. */

const SLOTS_MIN = 1 << 10;
const FREE = -1;
/** An attacker who makes millions of files whose ids begin alike does not know where they go. */
const SEED = Math.floor(Math.random() * 2 ** 32) | 1;

/**
 * Numbers ids in the order of their first mention: a hash table that holds nothing but the numbers. It takes 8 to 16 bytes
 * an id, out of the way of the garbage collector; a map of strings takes 60, and as much again while it grows.
 */
export class IdIndex {
  readonly #idOf: (number: number) => string;
  #size = 0;
  /** By slot: the number of an id, and its hash. A length is a power of two, half of it is free at least. */
  #numbers = new Int32Array(SLOTS_MIN).fill(FREE);
  #hashes = new Int32Array(SLOTS_MIN);

  /** @param idOf the id that got this number, as its keeper has it */
  constructor(idOf: (number: number) => string) {
    this.#idOf = idOf;
  }

  /** How many ids have a number: 0 to one below. */
  get size(): number {
    return this.#size;
  }

  /** The number of a hex id; undefined when it has none. */
  find(id: string): number | undefined {
    const number = this.#numbers[this.#slotOf(id, hashOf(id))] as number;
    return number === FREE ? undefined : number;
  }

  /** The number of a hex id of 8 digits at least, given now if it has none: the keeper then keeps the id. */
  add(id: string): number {
    const hash = hashOf(id);
    const slot = this.#slotOf(id, hash);
    const known = this.#numbers[slot] as number;
    if (known !== FREE) return known;
    const number = this.#size++;
    this.#numbers[slot] = number;
    this.#hashes[slot] = hash;
    if (2 * this.#size > this.#numbers.length) this.#grow();
    return number;
  }

  /** Where the id is, or would be. */
  #slotOf(id: string, hash: number): number {
    let slot = this.#firstSlot(hash);
    while (this.#numbers[slot] !== FREE) {
      if (this.#hashes[slot] === hash && this.#idOf(this.#numbers[slot] as number) === id) break;
      slot = (slot + 1) % this.#numbers.length;
    }
    return slot;
  }

  /** By the upper bits of the product, on which all bits of the hash have an influence. */
  #firstSlot(hash: number): number {
    return Math.imul(hash, SEED) >>> (Math.clz32(this.#numbers.length) + 1);
  }

  #grow(): void {
    const numbers = this.#numbers;
    const hashes = this.#hashes;
    this.#numbers = new Int32Array(2 * numbers.length).fill(FREE);
    this.#hashes = new Int32Array(2 * numbers.length);
    for (let old = 0; old < numbers.length; old++) {
      if (numbers[old] === FREE) continue;
      const hash = hashes[old] as number;
      let slot = this.#firstSlot(hash);
      while (this.#numbers[slot] !== FREE) slot = (slot + 1) % this.#numbers.length;
      this.#numbers[slot] = numbers[old] as number;
      this.#hashes[slot] = hash;
    }
  }
}

/** Digests are random already. */
function hashOf(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16) | 0;
}
