/** Split streams: as whole files, and with the compressed parts changed before they are compressed. */
import assert from "node:assert/strict";
import { HEAD_BYTES, writeHead } from "../../../src/splitstream/header.ts";
import { readChunks, readSplitStream, SplitStreamWriter } from "../../../src/splitstream/index.ts";
import { zstdFrame } from "../../../src/zstd/index.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOf } from "../target.ts";

const IDS = ["a", "b", "c"].map((digit) => digit.repeat(64));
/** What the harness keeps of a stream; more is counted only. */
const KEPT_MAX_BYTES = 4 << 20;

type Part = string | { readonly object: string };

/** Reads everything a stream says. */
async function readAll(bytes: Uint8Array): Promise<{ names: ReadonlyMap<string, string>; parts: Part[] }> {
  const stream = readSplitStream(bytes);
  const parts: Part[] = [];
  let keptBytes = 0;
  await readChunks(stream, {
    inline: (inline) => {
      keptBytes += inline.length;
      if (keptBytes <= KEPT_MAX_BYTES) parts.push(Buffer.from(inline).toString("latin1"));
    },
    external: (object) => parts.push({ object }),
  });
  return { names: stream.namedRefs, parts };
}

async function sampleStream(): Promise<Uint8Array> {
  const writer = new SplitStreamWriter("sha256", "ocilayer");
  writer.inline(Buffer.from("header ".repeat(20)));
  writer.external(IDS[0] ?? "", 700);
  writer.inline(Buffer.from("padding"));
  writer.external(IDS[1] ?? "", 70);
  writer.external(IDS[0] ?? "", 700);
  writer.nameRef("composefs.image.v1", IDS[2] ?? "");
  writer.nameRef("sha256:one", IDS[1] ?? "");
  return await writer.finish();
}

export const splitStreamTarget: FuzzTarget = {
  name: "splitstream",
  corpus: async () => [await sampleStream(), ...savedCorpus("splitstream")],
  async run(input) {
    return "value" in (await refusalOf(() => readAll(input)));
  },
};

/** Length of the names part, little-endian, in front of the two parts. */
const PREFIX_BYTES = 2;

/** A stream whose names and chunks, before compression, are the two parts of `input`. */
function wrapParts(input: Uint8Array): Uint8Array {
  const bytes = Buffer.from(input);
  const namesEnd = PREFIX_BYTES + (bytes.length < PREFIX_BYTES ? 0 : bytes.readUInt16LE(0));
  const refs = Buffer.from(IDS.slice(0, 2).join(""), "hex");
  const names = zstdFrame(bytes.subarray(PREFIX_BYTES, namesEnd));
  const chunks = zstdFrame(bytes.subarray(namesEnd));
  const namesStart = HEAD_BYTES + 2 * refs.length;
  const chunksStart = namesStart + names.length;
  const head = writeHead({
    algorithm: "sha256",
    streamRefs: { start: HEAD_BYTES, end: HEAD_BYTES + refs.length },
    objectRefs: { start: HEAD_BYTES + refs.length, end: namesStart },
    namedRefs: { start: namesStart, end: chunksStart },
    stream: { start: chunksStart, end: chunksStart + chunks.length },
    contentType: "ocilayer",
    sizeBytes: 0,
  });
  return Buffer.concat([head, refs, refs, names, chunks]);
}

function sampleParts(names: string, chunks: readonly (string | number)[]): Buffer {
  const encoded = chunks.map((chunk) => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigInt64LE(BigInt(typeof chunk === "number" ? chunk : -chunk.length));
    return typeof chunk === "number" ? prefix : Buffer.concat([prefix, Buffer.from(chunk)]);
  });
  const length = Buffer.alloc(PREFIX_BYTES);
  length.writeUInt16LE(names.length);
  return Buffer.concat([length, Buffer.from(names), ...encoded]);
}

export const splitStreamPartsTarget: FuzzTarget = {
  name: "splitstream-parts",
  corpus: () => [
    sampleParts("0:composefs.image.v1\0" + "1:sha256:one\0", ["header", 0, "padding", 1, 0]),
    sampleParts("", []),
    sampleParts("0:a\0", ["x".repeat(300)]),
    ...savedCorpus("splitstream-parts"),
  ],
  async run(input) {
    const read = await refusalOf(() => readAll(wrapParts(input)));
    if ("refusal" in read) return false;
    for (const part of read.value.parts) if (typeof part !== "string") assert.ok(IDS.includes(part.object));
    for (const id of read.value.names.values()) assert.ok(IDS.includes(id));
    return true;
  },
};
