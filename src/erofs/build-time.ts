/** The superblock's build time (spec/erofs.md 1.2). */
import type { DumpDialect } from "../tree/index.ts";
import type { Inode } from "./inode.ts";

/** The lowest modification time of an image; inodes with it can be compact. */
export interface BuildTime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

/** The minimum over all inodes. The C tool compares seconds as signed, composefs-rs as unsigned (spec 1.2). */
export function buildTimeOf(inodes: readonly Inode[], dialect: DumpDialect): BuildTime {
  const comparable = (seconds: bigint) => (dialect === "c" ? seconds : BigInt.asUintN(64, seconds));
  let seconds = inodes[0]?.node.metadata.mtimeSeconds ?? 0n;
  let nanoseconds = inodes[0]?.node.metadata.mtimeNanoseconds ?? 0;
  let lowest = comparable(seconds);
  for (const { node } of inodes) {
    const { mtimeSeconds, mtimeNanoseconds } = node.metadata;
    if (mtimeSeconds === seconds && mtimeNanoseconds >= nanoseconds) continue;
    const candidate = comparable(mtimeSeconds);
    if (candidate > lowest) continue;
    seconds = mtimeSeconds;
    nanoseconds = mtimeNanoseconds;
    lowest = candidate;
  }
  return { seconds, nanoseconds };
}
