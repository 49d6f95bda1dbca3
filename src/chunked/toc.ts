/** The table of contents of a zstd:chunked layer as values (spec/chunked-and-policy.md 1.3). */
import type { ByteString } from "../bytes/index.ts";
import type { TarEntry, TarEntryKind } from "../tar/index.ts";

/** The table's names for the kinds of entries. */
export const TOC_TYPE_OF_KIND = {
  file: "reg",
  hardlink: "hardlink",
  symlink: "symlink",
  directory: "dir",
  "character-device": "char",
  "block-device": "block",
  fifo: "fifo",
} as const satisfies Record<Exclude<TarEntryKind, "unknown">, string>;

export type TocKind = keyof typeof TOC_TYPE_OF_KIND;

/** A part of a file: frames of the blob that decode to exactly it. */
export interface TocChunk {
  /** Half-open range in the blob. */
  readonly start: number;
  readonly end: number;
  /** Uncompressed. */
  readonly sizeBytes: number;
  /** `sha256:<hex>` of its uncompressed bytes; absent if the file has one chunk. */
  readonly digest: string | undefined;
  /** All zeros: need not be fetched. */
  readonly isHole: boolean;
}

/** Where the bytes of a non-empty file are. */
export interface TocContent {
  /** `sha256:<hex>` of the whole file. */
  readonly digest: string;
  /** In the order of the file, and of the blob; their sizes sum to the file's. */
  readonly chunks: readonly TocChunk[];
}

/** What the table says about one tar entry: the fields that a tar header also has, and the content. */
export interface TocEntry
  extends Pick<
    TarEntry,
    "linkPath" | "mode" | "uid" | "gid" | "sizeBytes" | "xattrs" | "accessTimeNs" | "changeTimeNs"
  > {
  readonly kind: TocKind;
  /** As in the tar. */
  readonly name: ByteString;
  /** Nanoseconds since the epoch; undefined when absent, which also means the epoch. */
  readonly modificationTimeNs: bigint | undefined;
  readonly device: { readonly major: number; readonly minor: number };
  /** Only for files with a size. */
  readonly content: TocContent | undefined;
}

export interface Toc {
  readonly entries: readonly TocEntry[];
  /** `sha256:<hex>` of the compressed tar-split data; absent in old tables, which then cannot be trusted (spec 1.6). */
  readonly tarSplitDigest: string | undefined;
}

/** The modification time of a tar entry as one number. */
export function modificationTimeNs(entry: Pick<TarEntry, "mtimeSeconds" | "mtimeNanoseconds">): bigint {
  return entry.mtimeSeconds * 1_000_000_000n + BigInt(entry.mtimeNanoseconds);
}
