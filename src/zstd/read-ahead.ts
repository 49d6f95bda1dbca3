/** A generator that works while its consumer does. */

/**
 * Asks `pieces` for up to `depth` pieces before they are wanted: while one is used, the next ones are made in other threads.
 *
 * @param release is told which piece is not used any more
 * @returns what `pieces` yields and throws; leaving it early ends `pieces` too, once it has made what it was asked for
 */
export async function* readAhead(
  pieces: AsyncGenerator<Uint8Array>,
  depth: number,
  release: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const asked: Promise<IteratorResult<Uint8Array>>[] = [];
  const ask = () => {
    const next = pieces.next();
    // It is awaited later, or not at all.
    next.catch(() => {});
    asked.push(next);
  };
  try {
    for (;;) {
      while (asked.length < depth) ask();
      const next = await asked.shift();
      if (next === undefined || next.done === true) return;
      ask();
      yield next.value;
      release(next.value);
    }
  } finally {
    await pieces.return(undefined);
  }
}
