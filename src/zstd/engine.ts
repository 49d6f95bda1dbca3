/** Runs a byte stream through one of node:zlib's engines. */
import type { Transform } from "node:stream";

/**
 * Feeds `source`, whose pieces are valid until the next is requested, to the engine and yields its output, with backpressure both
 * ways.
 *
 * stream.pipeline() will not do: a decompressor that sees something after its data ends early, and the rest of the
 * source must still be read (and judged by the caller). What `source` throws is thrown here; leaving the loop early
 * closes the source.
 */
export async function* through(source: AsyncIterable<Uint8Array>, engine: Transform): AsyncGenerator<Uint8Array> {
  const state = { abandoned: false };
  const fed = feed(source, engine, state);
  // Its failure also destroys the engine, so the loop below throws it.
  fed.catch(() => {});
  let whole = false;
  try {
    for await (const piece of engine as AsyncIterable<Uint8Array>) yield piece;
    whole = true;
  } finally {
    state.abandoned = !whole;
    engine.destroy();
    await fed.catch(() => {});
  }
  await fed;
}

async function feed(
  source: AsyncIterable<Uint8Array>,
  engine: Transform,
  state: { readonly abandoned: boolean },
): Promise<void> {
  try {
    for await (const piece of source) {
      if (state.abandoned) return;
      if (engine.destroyed || engine.readableEnded) continue;
      // One as long as the engine's queue may be is used up when the queue is empty; shorter ones wait there.
      const waits = piece.length < engine.writableHighWaterMark;
      if (!engine.write(waits ? Uint8Array.from(piece) : piece)) await drainedOrClosed(engine);
    }
    if (!engine.destroyed) engine.end();
  } catch (error) {
    engine.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function drainedOrClosed(engine: Transform): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      engine.off("drain", done);
      engine.off("close", done);
      resolve();
    };
    engine.on("drain", done);
    engine.on("close", done);
    if (engine.destroyed) done();
  });
}
