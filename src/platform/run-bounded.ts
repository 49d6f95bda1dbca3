/** Several pieces of work at once, and what ends them early. */

/**
 * Runs a job for each item, at most `limit` at a time, begun in the order of the items. After the first failure the
 * signal aborts, nothing more is begun, and the others are awaited: nothing is running after this returns or throws.
 *
 * @returns what the jobs returned, in the order of the items
 * @throws what the first job to fail threw, or the items
 */
export async function runBounded<Item, Output>(
  items: Iterable<Item>,
  limit: number,
  job: (item: Item, signal: AbortSignal) => Promise<Output>,
): Promise<Output[]> {
  const controller = new AbortController();
  const { signal } = controller;
  const outputs: Output[] = [];
  let begun = 0;
  // One iterator for all: each lane takes the next item when it is free.
  const waiting = items[Symbol.iterator]();
  const lane = async () => {
    try {
      while (!signal.aborted) {
        const next = waiting.next();
        if (next.done === true) return;
        const place = begun++;
        outputs[place] = await job(next.value, signal);
      }
    } catch (error) {
      controller.abort(error);
    }
  };
  await Promise.all(Array.from({ length: limit }, lane));
  if (signal.aborted) waiting.return?.();
  signal.throwIfAborted();
  return outputs;
}

/**
 * Passes the parts of a source on. When the signal aborts, its reason is thrown at once, even while waiting for the
 * next part.
 */
export async function* untilAborted<Part>(source: AsyncIterable<Part>, signal: AbortSignal): AsyncGenerator<Part> {
  const iterator = source[Symbol.asyncIterator]();
  // Not Promise.race: each race would keep its part in memory until the signal aborts.
  let giveUp: (reason: unknown) => void = () => {};
  const onAbort = () => giveUp(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<Part>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: a waiting source answers only when its next part is there.
    iterator.return?.().catch(() => {});
  }
}
