/** Tables of contents and tar-split data of zstd:chunked layers. */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import {
  ChunkedCompressor,
  checkAgainstTarSplit,
  formatToc,
  planRanges,
  readChunkedAnnotations,
  readTarSplit,
  readToc,
  type TarSplitEntry,
  type Toc,
} from "../../../src/chunked/index.ts";
import { type TarMember, writeTar } from "../../../src/tar/index.ts";
import { savedCorpus } from "../corpus.ts";
import type { Random } from "../random.ts";
import { type FuzzTarget, refusalOf, refusalOfSync } from "../target.ts";

/** No blob is larger: offsets beyond must be refused. */
const BLOB_BYTES = 1 << 20;
const COMMON = { mode: 0o644, uid: 1, gid: 2, mtimeSeconds: 1_700_000_000n, mtimeNanoseconds: 5 };

function* members(): Generator<TarMember> {
  const file = (path: string, body: Buffer): TarMember => ({
    header: { ...COMMON, kind: "file", path: byteStringOfText(path), sizeBytes: body.length },
    body,
  });
  yield { header: { ...COMMON, kind: "directory", path: byteStringOfText("usr/") } };
  yield file("usr/holes", Buffer.concat([Buffer.from("x"), Buffer.alloc(3000), Buffer.from("y")]));
  yield file("usr/empty", Buffer.alloc(0));
  const link = { ...COMMON, path: byteStringOfText("usr/é"), linkPath: byteStringOfText("holes") };
  yield {
    header: { ...link, kind: "symlink", xattrs: new Map([[byteStringOfText("user.a"), Buffer.from([0, 255])]]) },
  };
  yield file("n".repeat(150), Buffer.alloc(700, "text "));
}

interface Sample {
  readonly toc: Uint8Array;
  readonly tarSplit: Uint8Array;
}

let sample: Promise<Sample> | undefined;

async function makeSample(): Promise<Sample> {
  const compressor = new ChunkedCompressor();
  const pieces: Uint8Array[] = [];
  for await (const piece of compressor.compress(writeTar(members()))) pieces.push(piece);
  const blob = Buffer.concat(pieces);
  const positions = readChunkedAnnotations(compressor.annotations, blob.length);
  assert.ok(positions?.tarSplit !== undefined);
  const unpack = ({ start, end }: { start: number; end: number }) => zstdDecompressSync(blob.subarray(start, end));
  return { toc: unpack(positions.toc), tarSplit: unpack(positions.tarSplit) };
}

function goodSample(): Promise<Sample> {
  sample ??= makeSample();
  return sample;
}

export const tocTarget: FuzzTarget = {
  name: "chunked-toc",
  corpus: async () => [(await goodSample()).toc, Buffer.from('{"entries":[]}'), ...savedCorpus("chunked-toc")],
  async run(input) {
    const read = refusalOfSync(() => readToc(input, BLOB_BYTES));
    if ("refusal" in read) return false;
    checkChunks(read.value);
    const again = formatToc(read.value);
    if (again !== undefined) assert.deepEqual(readToc(again, BLOB_BYTES), read.value);
    await refusalOf(async () => checkAgainstTarSplit(read.value, readTarSplit([(await goodSample()).tarSplit])));
    return true;
  },
};

function checkChunks({ entries }: Toc): void {
  for (const { content, sizeBytes } of entries) {
    if (content === undefined) continue;
    assert.equal(
      content.chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0),
      sizeBytes,
    );
    for (const [index, { start, end }] of content.chunks.entries()) {
      assert.ok(0 <= start && start < end && end <= BLOB_BYTES);
      assert.ok((content.chunks[index - 1]?.end ?? start) <= start);
    }
    const ranges = planRanges(content.chunks);
    assert.equal(ranges[0]?.start, content.chunks[0]?.start);
    assert.equal(ranges.at(-1)?.end, content.chunks.at(-1)?.end);
  }
}

async function readAll(input: Uint8Array, pieceBytes: () => number): Promise<TarSplitEntry[]> {
  const entries: TarSplitEntry[] = [];
  for await (const entry of readTarSplit(inPieces(input, pieceBytes))) entries.push(entry);
  return entries;
}

function* inPieces(input: Uint8Array, pieceBytes: () => number): Generator<Uint8Array> {
  for (let at = 0; at < input.length; ) {
    const length = pieceBytes();
    yield input.subarray(at, at + length);
    at += length;
  }
}

export const tarSplitTarget: FuzzTarget = {
  name: "tar-split",
  corpus: async () => [(await goodSample()).tarSplit, ...savedCorpus("tar-split")],
  async run(input, random: Random) {
    const whole = await refusalOf(() => readAll(input, () => input.length));
    const inParts = await refusalOf(() => readAll(input, () => 1 + random.below(random.pick([2, 60, 3000]))));
    if ("refusal" in whole || "refusal" in inParts) {
      assert.ok("refusal" in whole && "refusal" in inParts, "the pieces decide");
      assert.equal(inParts.refusal.message, whole.refusal.message);
      return false;
    }
    assert.deepEqual(inParts.value, whole.value);
    const toc = readToc((await goodSample()).toc, BLOB_BYTES);
    await refusalOf(() => checkAgainstTarSplit(toc, whole.value));
    return true;
  },
};
