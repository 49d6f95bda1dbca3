/**
 * Hashing and gunzip by the libraries and without them (src/primitives): `node bench/primitives.ts LAYER.tar.gz`, where LAYER is
 * any gzip file. Both in turn, the median of five, in processor time, which other work on the machine disturbs least.
 */
import { createReadStream } from "node:fs";
import { igzip } from "../src/primitives/igzip-library.ts";
import type { Inflater } from "../src/primitives/inflater.ts";
import type { HashAlgorithm, MessageHasher } from "../src/primitives/message-queue.ts";
import { multiBufferHasher } from "../src/primitives/multi-buffer-hasher.ts";
import { portableHasher } from "../src/primitives/portable-hasher.ts";
import { gunzipPortable } from "../src/zstd/decompress.ts";
import { gunzipMembers } from "../src/zstd/gunzip-native.ts";
import { OutputPieces } from "../src/zstd/output-pieces.ts";

const RUNS = 5;
const BYTES = 128 << 20;
const READ_BYTES = 1 << 20;
const PIECE_BYTES = 512 << 10;

/** @returns how many bytes were made or hashed */
type Work = () => number | Promise<number>;

async function bytesPerSecond(work: Work): Promise<number> {
  const begun = process.cpuUsage();
  const bytes = await work();
  const { user, system } = process.cpuUsage(begun);
  return bytes / (user + system) / 1000;
}

/** In GB a second of processor time, ours and the portable way. */
async function row(name: string, native: Work | undefined, portable: Work): Promise<void> {
  const rates: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run++) {
    if (native !== undefined) rates[0].push(await bytesPerSecond(native));
    rates[1].push(await bytesPerSecond(portable));
  }
  const [fast = 0, slow = 0] = rates.map((list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]);
  console.log(`| ${name} | ${slow.toFixed(2)} | ${fast.toFixed(2)} | ${(fast / slow).toFixed(1)} |`);
}

const messages = Buffer.alloc(BYTES);
for (let at = 0; at < BYTES; at += 101) messages[at] = at & 0xff;

function hashing(hasher: MessageHasher, algorithm: HashAlgorithm, messageBytes: number): Work {
  const count = Math.floor(BYTES / messageBytes);
  const digests = Buffer.alloc(count * 64);
  return () => {
    hasher(algorithm, messageBytes, (queue) => queue.add(messages, 0, count, digests, 0));
    return count * messageBytes;
  };
}

async function drained(stream: AsyncIterable<Uint8Array>, give: (piece: Uint8Array) => void): Promise<number> {
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    give(piece);
  }
  return bytes;
}

const [, , layer] = process.argv;
const hasher = multiBufferHasher();
const inflater = igzip();
for (const found of [hasher, inflater]) console.log("name" in found ? found.name : found.reason);
console.log("\n| work | Node, GB/s | library, GB/s | ratio |\n|---|--:|--:|--:|");
for (const algorithm of ["sha512", "sha256"] as const) {
  for (const messageBytes of [4096, 256]) {
    const native = hasher.native && hashing(hasher.native, algorithm, messageBytes);
    await row(
      `${algorithm}, messages of ${messageBytes} bytes`,
      native,
      hashing(portableHasher, algorithm, messageBytes),
    );
  }
}
if (layer !== undefined) {
  const source = () => createReadStream(layer, { highWaterMark: READ_BYTES });
  const { native } = inflater;
  const byLibrary = (newInflater: () => Inflater) => () => {
    const output = new OutputPieces(PIECE_BYTES);
    const members = gunzipMembers(source()[Symbol.asyncIterator](), newInflater(), output);
    return drained(members, (piece) => output.give(piece));
  };
  await row("gunzip", native && byLibrary(native), () => drained(gunzipPortable(source(), true), () => {}));
}
