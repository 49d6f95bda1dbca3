import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import { ZstdEncoder } from "../../src/zstd/index.ts";

test("equal writes give equal frames, whether the encoder is busy or idle when it is ended", async () => {
  // As tar-split data: what differs is short, and much is alike.
  const lines = Array.from({ length: 40 }, (_, index) => {
    const noise = createHash("shake256", { outputLength: 30 }).update(String(index)).digest("base64");
    return Buffer.from(`${noise}${"A".repeat(600)}\n`);
  });
  const encode = async (pauseBeforeEndMs: number | undefined) => {
    const encoder = new ZstdEncoder(3);
    for (const line of lines) encoder.write(line);
    if (pauseBeforeEndMs !== undefined) await setTimeout(pauseBeforeEndMs);
    return encoder.finish();
  };
  const frame = await encode(undefined);
  assert.ok(zstdDecompressSync(frame).equals(Buffer.concat(lines)));
  for (const pauseBeforeEndMs of [0, 1, 5, 200]) assert.deepEqual(await encode(pauseBeforeEndMs), frame);
});
