/** gzip and zstd framing. */
import assert from "node:assert/strict";
import { constants, gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { type Compression, decompress, unzstdWhole } from "../../../src/zstd/index.ts";
import { savedCorpus } from "../corpus.ts";
import type { Random } from "../random.ts";
import { type FuzzTarget, refusalOf, refusalOfSync } from "../target.ts";

const OUTPUT_MAX_BYTES = 8 << 20;
const TEXT = Buffer.from("one two three, one two three, ".repeat(40));

async function* inPieces(bytes: Uint8Array, random: Random): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(random.pick([1, 16, 300, bytes.length]));
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function decompressAll(input: Uint8Array, compression: Compression, random: Random): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const options = { maxOutputBytes: OUTPUT_MAX_BYTES };
  for await (const piece of decompress(inPieces(input, random), compression, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

export const gzipTarget: FuzzTarget = {
  name: "gzip",
  corpus: () => [
    gzipSync(TEXT),
    gzipSync(Buffer.alloc(0)),
    Buffer.concat([gzipSync(TEXT), gzipSync("more"), Buffer.alloc(512)]),
    gzipSync(TEXT, { level: 0 }),
    ...savedCorpus("gzip"),
  ],
  async run(input, random) {
    const read = await refusalOf(() => decompressAll(input, "gzip", random));
    if ("refusal" in read) return false;
    if (input.length > 0) assert.ok(gunzipSync(input).equals(read.value));
    return true;
  },
};

const SKIPPABLE = Buffer.from("502a4d1803000000616263", "hex");

export const zstdTarget: FuzzTarget = {
  name: "zstd",
  corpus: () => [
    zstdCompressSync(TEXT),
    zstdCompressSync(Buffer.alloc(0)),
    Buffer.concat([zstdCompressSync(TEXT), SKIPPABLE, zstdCompressSync("more"), SKIPPABLE]),
    zstdCompressSync(TEXT, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    zstdCompressSync(Buffer.alloc(300_000)),
    ...savedCorpus("zstd"),
  ],
  async run(input, random) {
    const streamed = await refusalOf(() => decompressAll(input, "zstd", random));
    const whole = refusalOfSync(() => Buffer.from(unzstdWhole(input, OUTPUT_MAX_BYTES)));
    // libzstd compares a frame's stated length only in a buffer when the last block is empty; the digest of what comes
    // out is checked all the same.
    if ("refusal" in streamed) assert.ok("refusal" in whole, "only the stream is refused");
    if ("refusal" in streamed || "refusal" in whole) return false;
    assert.ok(streamed.value.equals(whole.value));
    return true;
  },
};
