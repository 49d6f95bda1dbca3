/** Several pieces of work at once, and what ends them early. */

/**
 * Runs a job for each item, at most `limit` at a time, begun in the order of the items. After the first failure the
 * signal aborts, nothing more is begun, and the others are waited for.
 *
 * @throws what the first job to fail threw
 */
export async function runBounded<Item>(
  items: readonly Item[],
  limit: number,
  job: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = items.values();
  // One iterator for all: each lane takes the next item when it is free.
  const lane = async () => {
    for (const item of waiting) {
      if (signal.aborted) return;
      await job(item, signal).catch((error: unknown) => controller.abort(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  signal.throwIfAborted();
}

/**
 * Passes the parts of a source on. When the signal aborts, its reason is thrown at once, even while the source is still
 * waiting for its next part.
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
    // Not awaited: a source that waits answers only when its next part is there.
    iterator.return?.().catch(() => {});
  }
}
