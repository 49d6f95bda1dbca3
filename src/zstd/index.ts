/**
 * zstd: compressed streams, zstd (RFC 8878) and gzip (RFC 1952), with all their frames and members; the codecs
 * themselves are node:zlib's, or that of `primitives/`.
 *
 * Pure: byte streams in, byte streams out. May import `errors/`, `primitives/` and node:zlib.
 * @module
 */
export { type Compression, compress } from "./compress.ts";
export { type DecompressOptions, decompress, tooMuchOutput, unzstdWithDictionary } from "./decompress.ts";
export { unzstdWhole, ZstdEncoder, zstdFrame, zstdFrameAsync } from "./encoder.ts";
export { ZstdFrameWalker } from "./frames.ts";
