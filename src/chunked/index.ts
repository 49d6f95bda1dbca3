/**
 * chunked: zstd:chunked layers (spec/chunked-and-policy.md 1). A tar as many zstd frames, a table of contents that says
 * which frames hold which file, and tar-split data from which the tar is rebuilt byte for byte; reading and checking
 * them, planning which ranges of a blob to fetch, and writing such blobs.
 *
 * Pure: bytes in, values out. May import bytes, errors, tar and zstd.
 * @module
 */
export {
  CHUNKED_ANNOTATION,
  type ChunkedPositions,
  COMPRESSION_ANNOTATIONS,
  readChunkedAnnotations,
  type StoredPart,
} from "./annotations.ts";
export { checkAgainstTarSplit } from "./check-tar-split.ts";
export { ChunkedCompressor, type ChunkedOptions } from "./compressor.ts";
export { Crc64 } from "./crc64.ts";
export { FileCutter } from "./file-cutter.ts";
export { planRanges, type Range } from "./plan.ts";
export { readTarSplit, type TarSplitEntry, TarSplitWriter } from "./tar-split.ts";
export type { Toc, TocChunk, TocContent, TocEntry } from "./toc.ts";
export { readToc, TOC_MAX_BYTES } from "./toc-reader.ts";
export { formatToc } from "./toc-writer.ts";
