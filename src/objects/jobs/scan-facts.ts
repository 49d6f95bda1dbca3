/** What stat(2) says about scanned files, passed between threads: eight numbers per file in one array. */
import type { BigIntStats } from "node:fs";
import { type Metadata, PERMISSION_MASK } from "../../tree/index.ts";

const NUMBERS = 8;
const NANOSECONDS = 1_000_000_000n;

export function newScanFacts(files: number): BigInt64Array {
  return new BigInt64Array(NUMBERS * files);
}

export function putScanFacts(facts: BigInt64Array, index: number, stat: BigIntStats): void {
  const { seconds, nanoseconds } = timeOf(stat);
  facts.set([stat.dev, stat.ino, stat.mode, stat.uid, stat.gid, stat.size, seconds, nanoseconds], NUMBERS * index);
}

/** The facts of one file. */
export interface FileFacts {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly sizeBytes: number;
  readonly metadata: Metadata;
}

export function scanFactsAt(facts: BigInt64Array, index: number, xattrs: Metadata["xattrs"]): FileFacts {
  const fact = (offset: number): bigint => {
    const value = facts[NUMBERS * index + offset];
    if (value === undefined) throw new Error(`unreachable: there are no facts about file ${index}`);
    return value;
  };
  const number = (offset: number) => Number(fact(offset));
  return {
    dev: fact(0),
    ino: fact(1),
    sizeBytes: number(5),
    metadata: {
      mode: number(2) & PERMISSION_MASK,
      uid: number(3),
      gid: number(4),
      mtimeSeconds: fact(6),
      mtimeNanoseconds: number(7),
      xattrs,
    },
  };
}

export function metadataOfStat(stat: BigIntStats, xattrs: Metadata["xattrs"]): Metadata {
  const { seconds, nanoseconds } = timeOf(stat);
  return {
    mode: Number(stat.mode) & PERMISSION_MASK,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtimeSeconds: seconds,
    mtimeNanoseconds: Number(nanoseconds),
    xattrs,
  };
}

/** Before 1970 the nanoseconds count upwards too. */
function timeOf({ mtimeNs }: BigIntStats): { readonly seconds: bigint; readonly nanoseconds: bigint } {
  const seconds = mtimeNs / NANOSECONDS;
  const nanoseconds = mtimeNs % NANOSECONDS;
  return nanoseconds < 0n
    ? { seconds: seconds - 1n, nanoseconds: nanoseconds + NANOSECONDS }
    : { seconds, nanoseconds };
}
