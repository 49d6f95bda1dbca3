/** Where the power may go, by what a guest wrote: after each flush, and at any moment between two. */
import type { LogEntry, WriteLog } from "./write-log.ts";

/** Sectors are written whole or not at all; nothing larger is. */
const SECTOR_BYTES = 512;

/** Bytes that reach the disk. */
export interface Write {
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}

/** What was written between two flushes. */
export interface Epoch {
  /** Of the flush that ends it, from 1. */
  readonly flush: number;
  readonly writes: readonly LogEntry[];
}

/**
 * The log cut at its flushes. A write that is durable by itself counts as one that is not: that leaves more states, never
 * fewer.
 */
export function* epochsOf(entries: Iterable<LogEntry>): Generator<Epoch> {
  let writes: LogEntry[] = [];
  let flush = 0;
  for (const entry of entries) {
    if (entry.kind === "write") writes.push(entry);
    // Flushes of several file systems follow one another without a write between them.
    if (entry.kind !== "flush" || writes.length === 0) continue;
    yield { flush: ++flush, writes };
    writes = [];
  }
}

export function writeOf(log: WriteLog, entry: LogEntry): Write {
  return { offsetBytes: entry.offsetBytes, bytes: log.dataOf(entry) };
}

/** Numbers from 0 to 1, the same for the same seed (xorshift32, begun with seeds that are far apart). */
export function randomNumbers(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * What a disk may have of the writes since the last flush when the power goes: of those up to some moment each may be
 * there, in part, or not at all.
 */
export function survivingWrites(writes: readonly Write[], random: () => number): Write[] {
  const begun = writes.slice(0, 1 + Math.floor(random() * writes.length));
  const keep = random();
  return begun.flatMap((write) => (random() < keep ? (random() < 0.1 ? torn(write, random) : [write]) : []));
}

/** Some of the sectors of a write. */
function torn({ offsetBytes, bytes }: Write, random: () => number): Write[] {
  const found: Write[] = [];
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    if (random() < 0.5) found.push({ offsetBytes: offsetBytes + at, bytes: bytes.subarray(at, at + SECTOR_BYTES) });
  }
  return found;
}
