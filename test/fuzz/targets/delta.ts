/** tar-diff: operations as they are in the stream, so that they and not the compression are changed. */
import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { applyTarDiff, type TarDiffSource } from "../../../src/delta/index.ts";
import { SealrootError } from "../../../src/errors/index.ts";
import { add, copy, diffOf, emit, open, patch, seek } from "../../delta/encoder.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOf } from "../target.ts";

const OUTPUT_MAX_BYTES = 1 << 20;
const OLD = Buffer.from("the quick brown fox jumps over the lazy dog, ".repeat(30));
const FILES: ReadonlyMap<string, Uint8Array> = new Map([
  ["usr/old", OLD],
  ["e", Buffer.alloc(0)],
]);

export const tarDiffTarget: FuzzTarget = {
  name: "tar-diff",
  corpus: () => [
    Buffer.concat([emit("head"), open("usr/old"), copy(100), seek(7), copy(9), emit("tail")]),
    Buffer.concat(diffOf("usr/old", OLD, Buffer.concat([OLD.subarray(0, 90), Buffer.from("x"), OLD.subarray(91)]))),
    Buffer.concat([open("./usr/old"), add(OLD.subarray(0, 5), Buffer.from("abcde")), open("e"), copy(0)]),
    Buffer.concat([open("usr/old"), patch(OLD, Buffer.concat([OLD, OLD])), emit("end")]),
    ...savedCorpus("tar-diff"),
  ],
  async run(input, random) {
    let opened = 0;
    const source: TarDiffSource = {
      open(path) {
        const bytes = FILES.get(path);
        if (bytes === undefined) throw new SealrootError("corrupt", "there is no such file");
        opened++;
        return {
          sizeBytes: bytes.length,
          read(start, end) {
            assert.ok(start >= 0 && start <= end && end <= bytes.length, "read outside the file");
            return bytes.subarray(start, end);
          },
          [Symbol.dispose]: () => void opened--,
        };
      },
    };
    const blob = Buffer.concat([Buffer.from(`tardf${random.pick([1, 2])}\n\0`), zstdCompressSync(input)]);
    const read = await refusalOf(async () => {
      let sizeBytes = 0;
      for await (const piece of applyTarDiff(inPieces(blob), source, { maxOutputBytes: OUTPUT_MAX_BYTES })) {
        sizeBytes += piece.length;
      }
      return sizeBytes;
    });
    assert.equal(opened, 0, "files stay open");
    if ("refusal" in read) return false;
    assert.ok(read.value <= OUTPUT_MAX_BYTES);
    return true;
  },
};

async function* inPieces(bytes: Uint8Array) {
  for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50);
}
