/** The test that igzip must pass in each thread before it is used. */
import { crc32, deflateRawSync } from "node:zlib";
import type { Inflater, InflateStep } from "./inflater.ts";

/** As for a quick call: see {@link Inflater.inflate}. */
const INPUT_MAX_BYTES = 1000;

/** Whether stored, fixed and dynamic blocks come out, cut at odd places, into buffers that are too small. */
export function inflatesRightly(inflater: Inflater): boolean {
  const text = Buffer.from(Array.from({ length: 600 }, (_, index) => `${(index * index) % 977} `).join(""));
  return [0, 1, 9].every((level) =>
    [1, 7, INPUT_MAX_BYTES].every((cut) => {
      const tail = Buffer.from("tail");
      const packed = Buffer.concat([deflateRawSync(text, { level, strategy: level === 1 ? 4 : 0 }), tail]);
      return inflated(inflater, packed, cut, text, tail);
    }),
  );
}

function inflated(inflater: Inflater, packed: Buffer, cut: number, text: Buffer, tail: Buffer): boolean {
  inflater.begin();
  const output = Buffer.alloc(text.length + 999);
  let written = 0;
  for (let at = 0; at <= packed.length; ) {
    const room = output.subarray(written, Math.min(output.length, written + 997));
    const step = inflater.inflate(packed.subarray(at, Math.min(at + cut, packed.length)), room) as InflateStep;
    at += step.readBytes;
    written += step.writtenBytes;
    if (step.state === "damaged" || (at === packed.length && step.state === "more" && step.writtenBytes === 0))
      return false;
    if (step.state === "more") continue;
    const rest = Buffer.concat([inflater.unused, packed.subarray(at)]);
    return rest.equals(tail) && output.subarray(0, written).equals(text) && inflater.crc32 === crc32(text);
  }
  return false;
}
