/** gzip and zstd framing. */
import assert from "node:assert/strict";
import { constants, gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { igzip } from "../../../src/primitives/igzip-library.ts";
import { gunzipPortable } from "../../../src/zstd/decompress.ts";
import { gunzipMembers } from "../../../src/zstd/gunzip-native.ts";
import { decompress, tooMuchOutput, unzstdWhole } from "../../../src/zstd/index.ts";
import { OutputPieces } from "../../../src/zstd/output-pieces.ts";
import { isRefusedForItsCode } from "../../primitives/incomplete-code.ts";
import { savedCorpus } from "../corpus.ts";
import type { Random } from "../random.ts";
import { type FuzzTarget, refusalOf, refusalOfSync } from "../target.ts";

const OUTPUT_MAX_BYTES = 8 << 20;
/** Small, so that streams have several pieces. */
const OUTPUT_PIECE_BYTES = 10_000;
const TEXT = Buffer.from("one two three, one two three, ".repeat(40));

async function* inPieces(bytes: Uint8Array, random: Random): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(random.pick([1, 16, 300, bytes.length]));
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/** Bombs are no findings: they are read up to a limit. */
async function collected(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of stream) {
    sizeBytes += piece.length;
    if (sizeBytes > OUTPUT_MAX_BYTES) throw tooMuchOutput("gzip", OUTPUT_MAX_BYTES);
    pieces.push(piece);
  }
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
    const read = await refusalOf(() => collected(gunzipPortable(inPieces(input, random), false)));
    const { native } = igzip();
    if (native !== undefined) {
      const output = new OutputPieces(OUTPUT_PIECE_BYTES);
      const byIgzip = await refusalOf(() => collected(gunzipMembers(inPieces(input, random), native(), output)));
      if ("value" in read) assert.ok("value" in byIgzip && byIgzip.value.equals(read.value));
      else assert.ok("refusal" in byIgzip || isRefusedForItsCode(input), "igzip alone takes it");
    }
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
    const options = { maxOutputBytes: OUTPUT_MAX_BYTES };
    const streamed = await refusalOf(() => collected(decompress(inPieces(input, random), "zstd", options)));
    const whole = refusalOfSync(() => Buffer.from(unzstdWhole(input, OUTPUT_MAX_BYTES)));
    // libzstd compares a frame's stated length only in a buffer when the last block is empty; the digest of what comes
    // out is checked all the same.
    if ("refusal" in streamed) assert.ok("refusal" in whole, "only the stream is refused");
    if ("refusal" in streamed || "refusal" in whole) return false;
    assert.ok(streamed.value.equals(whole.value));
    return true;
  },
};
