/** Concurrent work, bounded by the available room. */

/** Counts work from its begin to its end. */
export class UnderWay {
  readonly #max: number;
  #count = 0;
  #size = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #waiting: (() => void)[] = [];

  /** @param max of the sizes' sum; from there on nothing more should be begun */
  constructor(max: number) {
    this.#max = max;
  }

  /** Pieces of work that have not ended. */
  get count(): number {
    return this.#count;
  }

  /**
   * Counts a piece of work in.
   * @param size in the unit of the maximum
   */
  add(work: Promise<unknown>, size = 1): void {
    this.#count++;
    this.#size += size;
    const end = () => {
      this.#count--;
      this.#size -= size;
      for (const wake of this.#waiting.splice(0)) wake();
    };
    work.then(end, (error: unknown) => {
      this.#failure ??= { error };
      end();
    });
  }

  /** @throws the first failure, if a piece of work has failed */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits until one more piece has ended, well or not; not at all if none is pending. */
  async next(): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when something more may be begun; undefined if it may be now. Failed work makes room too. */
  room(): Promise<void> | undefined {
    return this.#size < this.#max ? undefined : this.next().then(() => this.room());
  }

  /** Waits until everything has ended, well or not. */
  async settled(): Promise<void> {
    while (this.#count > 0) await this.next();
  }

  /** Waits until everything has ended. @throws the first failure */
  async finish(): Promise<void> {
    await this.settled();
    this.check();
  }
}

/** When a batch is full: at this many items, or this much of their measured size. */
interface BatchLimits<Item> {
  readonly items: number;
  readonly size?: { readonly max: number; readonly of: (item: Item) => number };
}

/** Cuts items into batches. The one that reaches a limit is the last of its batch; none is empty. */
export function* batchesOf<Item>(items: Iterable<Item>, limits: BatchLimits<Item>): Generator<readonly Item[]> {
  let batch: Item[] = [];
  let size = 0;
  for (const item of items) {
    batch.push(item);
    if (limits.size !== undefined) size += limits.size.of(item);
    const isFull = batch.length >= limits.items || (limits.size !== undefined && size >= limits.size.max);
    if (!isFull) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length > 0) yield batch;
}
