/** Decompression of a byte stream, all its members and frames, in bounded memory. */
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { corrupt, SealrootError } from "../errors/index.ts";
import { inflaterFromBytes, newInflater } from "../primitives/index.ts";
import type { Compression } from "./compress.ts";
import { through } from "./engine.ts";
import { ZstdFrameWalker } from "./frames.ts";
import { afterTheZeros, gunzipMembers } from "./gunzip-native.ts";
import { badGzip, DAMAGED_STREAM } from "./gzip-member.ts";
import { OutputPieces } from "./output-pieces.ts";
import { readAhead } from "./read-ahead.ts";

/**
 * Each piece costs two thread switches and an allocation, 0.2 ms in all, and should still be in the processor's cache
 * when it is used. bin/sealroot tells malloc to keep memory of this size.
 */
const OUTPUT_PIECE_BYTES = 512 << 10;
/** Some output may wait, so that inflating (in zlib's thread) and using it overlap. */
const ENGINE_OPTIONS = { chunkSize: OUTPUT_PIECE_BYTES, readableHighWaterMark: 4 * OUTPUT_PIECE_BYTES };
/** As many pieces a library makes before they are wanted. */
const PIECES_AHEAD = 3;

export interface DecompressOptions {
  /** More output than this is refused as `unsupported`: a guard against bombs. */
  readonly maxOutputBytes?: number;
  /**
   * A piece is valid only until the next one is requested. Its memory is then freed or used again; otherwise V8 collects
   * garbage in the whole heap for every 64 MB of output.
   */
  readonly transient?: boolean;
}

/**
 * Decompresses a stream of one or many gzip members (RFC 1952) or zstd frames (RFC 8878).
 *
 * After the last gzip member only zeros may follow, as tape padding; after the last zstd frame nothing.
 *
 * @throws SealrootError `corrupt` for bad, truncated or trailing data; what `source` throws passes through
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const limit = options.maxOutputBytes ?? Number.POSITIVE_INFINITY;
  let outputBytes = 0;
  for await (const piece of decoder(source, compression, options.transient === true)) {
    outputBytes += piece.length;
    if (outputBytes > limit) {
      throw tooMuchOutput(compression, limit);
    }
    yield piece;
  }
}

/** The refusal of a bomb. */
export function tooMuchOutput(
  compression: Compression,
  limitBytes: number,
  code: "corrupt" | "unsupported" = "unsupported",
): SealrootError {
  const what = `Cannot decompress ${compression} data: more than ${limitBytes} bytes come out`;
  return new SealrootError(code, what, { expected: `at most ${limitBytes} bytes` });
}

function decoder(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  transient: boolean,
): AsyncIterable<Uint8Array> {
  if (compression === "none") return source;
  return compression === "gzip" ? gunzip(source, transient) : unzstd(source, transient);
}

/** By the library where there is one and the stream is long enough to be worth it. */
async function* gunzip(source: AsyncIterable<Uint8Array>, transient: boolean): AsyncGenerator<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let ended = false;
  for (let sizeBytes = 0; !ended && sizeBytes < inflaterFromBytes(); ) {
    // A piece is valid until the next one is asked for.
    const next = await pieces.next();
    ended = next.done === true;
    if (next.done === true) break;
    sizeBytes += next.value.length;
    head.push(sizeBytes < inflaterFromBytes() ? Uint8Array.from(next.value) : next.value);
  }
  const inflater = ended ? undefined : newInflater();
  const whole = headThenRest(head, pieces);
  if (inflater === undefined) {
    yield* gunzipPortable(whole, transient);
    return;
  }
  const output = new OutputPieces(OUTPUT_PIECE_BYTES);
  const members = gunzipMembers(whole, inflater, output);
  yield* readAhead(members, PIECES_AHEAD, (piece) => {
    if (transient) output.give(piece);
  });
}

async function* headThenRest(head: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** By node:zlib. */
export async function* gunzipPortable(
  source: AsyncIterable<Uint8Array>,
  transient: boolean,
): AsyncGenerator<Uint8Array> {
  let fedBytes = 0;
  let trailingZeros = 0;
  async function* counted() {
    for await (const piece of source) {
      fedBytes += piece.length;
      const zeros = countTrailingZeros(piece);
      trailingZeros = zeros === piece.length ? trailingZeros + zeros : zeros;
      yield piece;
    }
  }
  const engine = createGunzip(ENGINE_OPTIONS);
  yield* decoded(counted(), engine, "gzip", transient);
  // zlib stops at the first zero after a member and ignores what follows, even further members.
  if (fedBytes - engine.bytesWritten > trailingZeros) throw afterTheZeros(engine.bytesWritten);
}

function countTrailingZeros(piece: Uint8Array): number {
  let end = piece.length;
  while (end > 0 && piece[end - 1] === 0) end--;
  return piece.length - end;
}

async function* unzstd(source: AsyncIterable<Uint8Array>, transient: boolean): AsyncGenerator<Uint8Array> {
  async function* framed() {
    const walker = new ZstdFrameWalker();
    for await (const piece of source) yield* walker.push(piece);
    walker.finish();
  }
  const engine = createZstdDecompress(ENGINE_OPTIONS);
  yield* decoded(framed(), engine, "zstd", transient);
}

/**
 * Decompresses one zstd frame whose dictionary is plain bytes, as `zstd --patch-from` makes it. Its window may have 128 MiB, the
 * limit of all decoders that are not told otherwise.
 *
 * @throws SealrootError as decompress
 */
export async function* unzstdWithDictionary(
  source: AsyncIterable<Uint8Array>,
  dictionary: Buffer,
  { maxOutputBytes = Number.POSITIVE_INFINITY }: Pick<DecompressOptions, "maxOutputBytes"> = {},
): AsyncGenerator<Uint8Array> {
  const engine = createZstdDecompress({ ...ENGINE_OPTIONS, dictionary });
  let outputBytes = 0;
  for await (const piece of decoded(source, engine, "zstd", false)) {
    outputBytes += piece.length;
    if (outputBytes > maxOutputBytes) throw tooMuchOutput("zstd", maxOutputBytes);
    yield piece;
  }
}

async function* decoded(
  source: AsyncIterable<Uint8Array>,
  engine: Gunzip | ZstdDecompress,
  name: "gzip" | "zstd",
  transient: boolean,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of through(source, engine)) {
      yield piece;
      if (transient) free(piece);
    }
  } catch (error) {
    throw isDecoderError(error) ? decoderError(error, name) : error;
  }
}

/**
 * Frees the memory that a piece is the last view of: an engine fills one buffer with several pieces, in order. Short
 * waiting pieces are merged into one, copied into Node's pool, which is not an engine's and cannot be freed.
 */
function free({ buffer, byteOffset, byteLength }: Uint8Array): void {
  const isOfEngine = buffer instanceof ArrayBuffer && buffer.byteLength === OUTPUT_PIECE_BYTES;
  if (isOfEngine && byteOffset + byteLength === OUTPUT_PIECE_BYTES) buffer.transfer(0);
}

/** node:zlib marks its errors with codes such as Z_DATA_ERROR and ZSTD_error_corruption_detected. */
function isDecoderError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^Z(STD)?_/.test(error.code);
}

/** The text is one that a library can have too: see gzip-member.ts. */
function decoderError(error: Error, name: "gzip" | "zstd"): SealrootError {
  if (name === "zstd") return corrupt(`Cannot decompress zstd data: ${error.message}`);
  return badGzip(/^(invalid|too many) /.test(error.message) ? DAMAGED_STREAM : error.message);
}
