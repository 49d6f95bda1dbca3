/** Header and info block of a split stream (spec/repository.md 4). */
import { ByteCursor, ByteWriter } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";

/** Hash algorithm of the object ids in a stream; the same two names as fs-verity's. */
export type StreamAlgorithm = "sha256" | "sha512";

/** Length of an object id. */
export const ID_BYTES: Readonly<Record<StreamAlgorithm, number>> = { sha256: 32, sha512: 64 };

const MAGIC = "SplitStream";
const VERSION = 0;
const ALGORITHM_NUMBER: Readonly<Record<StreamAlgorithm, number>> = { sha256: 1, sha512: 2 };
const LOG2_BLOCK_SIZE = 12;

/** Bytes of header and info block together; the first section begins here. */
export const HEAD_BYTES = 112;
const HEADER_BYTES = 32;
const INFO_BYTES = 80;
/** Where writers before `repr(C)` put the magic (spec/repository.md 4, "Old header"). */
const OLD_MAGIC_OFFSET = 18;

/** Half-open range of file offsets. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What header and info block say. */
export interface StreamHead {
  readonly algorithm: StreamAlgorithm;
  readonly streamRefs: Range;
  readonly objectRefs: Range;
  readonly stream: Range;
  readonly namedRefs: Range;
  /** Eight ASCII characters. */
  readonly contentType: string;
  /** Length of the reassembled stream. */
  readonly sizeBytes: number;
}

/** Writes header and info block in the current form. */
export function writeHead(head: StreamHead): Uint8Array {
  const writer = new ByteWriter(HEAD_BYTES);
  writer.latin1(MAGIC).u8(VERSION).u16(0).u8(ALGORITHM_NUMBER[head.algorithm]).u8(LOG2_BLOCK_SIZE);
  writer.u64(HEADER_BYTES).u64(HEAD_BYTES);
  for (const range of [head.streamRefs, head.objectRefs, head.stream, head.namedRefs]) {
    writer.u64(range.start).u64(range.end);
  }
  return writer.latin1(head.contentType).u64(head.sizeBytes).finish();
}

/**
 * Reads header and info block, in the current form or the old one.
 * @throws SealrootError `corrupt` for anything but a split stream or a range outside the file, `unsupported` for
 *   another version, algorithm or block size
 */
export function readHead(bytes: Uint8Array): StreamHead {
  const { info, version, algorithm, log2BlockSize } = readHeader(bytes);
  if (version !== VERSION) throw unsupported(`version ${version} is unknown`);
  if (log2BlockSize !== LOG2_BLOCK_SIZE) throw unsupported(`block size 2^${log2BlockSize} is not 4096`);
  const name = algorithm === 1 ? "sha256" : algorithm === 2 ? "sha512" : undefined;
  if (name === undefined) throw unsupported(`hash algorithm ${algorithm} is unknown`);
  checkRange("info block", info, bytes);
  if (info.end - info.start < INFO_BYTES) throw corrupt("Cannot read split stream: info block is too short");
  const cursor = new ByteCursor(bytes, "split stream", info.start);
  const section = (what: string): Range => {
    const range = { start: cursor.size(), end: cursor.size() };
    checkRange(what, range, bytes);
    return range;
  };
  return {
    algorithm: name,
    streamRefs: section("stream references"),
    objectRefs: section("object references"),
    stream: section("chunk sequence"),
    namedRefs: section("named references"),
    contentType: Buffer.from(cursor.take(8)).toString("latin1"),
    sizeBytes: cursor.size(),
  };
}

function readHeader(bytes: Uint8Array) {
  const magicAt = (offset: number) => Buffer.from(bytes.subarray(offset, offset + MAGIC.length)).toString("latin1");
  const cursor = new ByteCursor(bytes, "split stream");
  if (magicAt(0) === MAGIC) {
    cursor.skip(MAGIC.length);
    const version = cursor.u8();
    cursor.skip(2);
    const algorithm = cursor.u8();
    const log2BlockSize = cursor.u8();
    return { info: { start: cursor.size(), end: cursor.size() }, version, algorithm, log2BlockSize };
  }
  if (magicAt(OLD_MAGIC_OFFSET) === MAGIC) {
    const info = { start: cursor.size(), end: cursor.size() };
    cursor.skip(2 + MAGIC.length);
    return { info, version: cursor.u8(), algorithm: cursor.u8(), log2BlockSize: cursor.u8() };
  }
  throw corrupt("Cannot read split stream: magic is missing");
}

function checkRange(what: string, range: Range, bytes: Uint8Array): void {
  if (range.start <= range.end && range.end <= bytes.length) return;
  throw corrupt(`Cannot read split stream: ${what} is at ${range.start}..${range.end} of ${bytes.length} bytes`);
}

function unsupported(reason: string): SealrootError {
  return new SealrootError("unsupported", `Cannot read split stream: ${reason}`);
}
