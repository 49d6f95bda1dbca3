/**
 * splitstream: the composefs stream format, version 0: a byte stream split into inline bytes and references to objects,
 * with named references to other streams. A writer and a reader, including the old header (spec/repository.md 4).
 *
 * Pure: bytes in, bytes out. May import bytes, errors and zstd.
 * @module
 */
export type { StreamAlgorithm } from "./header.ts";
export {
  readChunks,
  readSplitStream,
  type SplitStream,
  type StreamPart,
  type StreamVisitor,
  streamParts,
} from "./reader.ts";
export { SplitStreamWriter } from "./writer.ts";
