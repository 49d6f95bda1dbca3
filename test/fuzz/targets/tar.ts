/** The tar parser, and the way of its entries through the layer merge into an image. */
import assert from "node:assert/strict";
import { byteString } from "../../../src/bytes/index.ts";
import { readErofs, writeErofs } from "../../../src/erofs/index.ts";
import { layerEntry } from "../../../src/imagestore/tree/layer-entries.ts";
import { type TarEntry, TarParser } from "../../../src/tar/index.ts";
import { applyLayerEntry, type DirectoryNode, firstTreeDifference, newDirectory } from "../../../src/tree/index.ts";
import { savedCorpus } from "../corpus.ts";
import { mutateBytes } from "../mutate.ts";
import type { Random } from "../random.ts";
import { fixChecksums, tarCorpus } from "../tar-corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const INLINE_MAX_BYTES = 64;

interface ParsedTar {
  readonly entries: readonly TarEntry[];
  readonly root: DirectoryNode;
}

/** Parses in pieces; what comes out, concatenated, must be what went in. */
function parseTar(input: Uint8Array, pieceBytes: () => number): ParsedTar {
  const entries: TarEntry[] = [];
  const reported: Buffer[] = [];
  const root = newDirectory();
  const parser = new TarParser(
    {
      inline: (bytes) => reported.push(Buffer.from(bytes)),
      body: (bytes) => reported.push(Buffer.from(bytes)),
      entry: (entry, body) => {
        entries.push(entry);
        const isStreamed = body.type === "streamed";
        applyLayerEntry(root, layerEntry(entry, isStreamed ? { type: "external", reference: "a".repeat(64) } : body));
      },
    },
    INLINE_MAX_BYTES,
  );
  for (let at = 0; at < input.length; ) {
    const length = pieceBytes();
    parser.push(input.subarray(at, at + length));
    at += length;
  }
  parser.finish();
  assert.ok(Buffer.concat(reported).equals(input), "the reported bytes are not the stream");
  assert.equal(parser.streamBytes, input.length);
  return { entries, root };
}

/** A refusal by its message, so that two ways of cutting can be compared. */
function outcome(input: Uint8Array, pieceBytes: () => number): ParsedTar | string {
  const parsed = refusalOfSync(() => parseTar(input, pieceBytes));
  return "value" in parsed ? parsed.value : `${parsed.refusal.message} at ${parsed.refusal.data.offset}`;
}

export const tarTarget: FuzzTarget = {
  name: "tar",
  corpus: () => [...tarCorpus(), ...savedCorpus("tar")],
  mutate(input, other, random) {
    const bytes = mutateBytes(input, other, random);
    if (random.below(8) > 0) fixChecksums(bytes);
    return bytes;
  },
  run(input, random: Random) {
    const whole = outcome(input, () => input.length);
    const inPieces = outcome(input, () => 1 + random.below(random.pick([3, 512, 1500])));
    assert.deepEqual(inPieces, whole);
    if (typeof whole === "string") return false;
    checkImage(whole.root, random);
    return true;
  },
};

/** Whatever the writer takes, the reader must give back. */
function checkImage(root: DirectoryNode, random: Random): void {
  const form = random.pick(["v1", "v2"] as const);
  const written = refusalOfSync(() => writeErofs(root, { form, algorithm: "sha256" }));
  if ("refusal" in written) return;
  const { root: again } = readErofs(written.value);
  if (form === "v1") assert.equal(firstTreeDifference(root, again), undefined);
  assert.ok(byteString(writeErofs(again, { form, algorithm: "sha256" })) === byteString(written.value));
}
