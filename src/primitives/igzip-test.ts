/** The test that igzip must pass in each thread before it is used. */
import { constants, crc32, deflateRawSync, type ZlibOptions } from "node:zlib";
import type { Inflater, InflateStep } from "./inflater.ts";

/** Stored blocks, one with the fixed code, and one with a code of its own (RFC 1951, 3.2.4 to 3.2.7). */
const BLOCKS: readonly ZlibOptions[] = [{ level: 0 }, { strategy: constants.Z_FIXED }, { level: 9 }];
/** Input is cut at odd places, and output buffers are too small. All input is less than what leaves this thread. */
const INPUT_CUTS = [11, 997];
const OUTPUT_BYTES = 499;

/** Whether all kinds of blocks come out, with their checksum, and what follows a stream stays. */
export function inflatesRightly(inflater: Inflater): boolean {
  const text = Buffer.from(Array.from({ length: 600 }, (_, index) => `${(index * index) % 977} `).join(""));
  const tail = Buffer.from("tail");
  return BLOCKS.every((block) => {
    const packed = Buffer.concat([deflateRawSync(text, block), tail]);
    return INPUT_CUTS.every((cut) => inflated(inflater, packed, cut, text, tail));
  });
}

function inflated(inflater: Inflater, packed: Buffer, cut: number, text: Buffer, tail: Buffer): boolean {
  inflater.begin();
  const output = Buffer.alloc(text.length + OUTPUT_BYTES);
  let written = 0;
  for (let at = 0; ; ) {
    const room = output.subarray(written, Math.min(output.length, written + OUTPUT_BYTES));
    const step = inflater.inflate(packed.subarray(at, Math.min(at + cut, packed.length)), room) as InflateStep;
    at += step.readBytes;
    written += step.writtenBytes;
    const isStuck = step.readBytes === 0 && step.writtenBytes === 0 && step.state === "more";
    if (step.state === "damaged" || isStuck) return false;
    if (step.state === "more") continue;
    const rest = Buffer.concat([inflater.unused, packed.subarray(at)]);
    return rest.equals(tail) && output.subarray(0, written).equals(text) && inflater.crc32 === crc32(text);
  }
}
