/** Decompression of a byte stream, all its members and frames, in bounded memory. */
import { createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { corrupt, SealrootError } from "../errors/index.ts";
import type { Compression } from "./compress.ts";
import { through } from "./engine.ts";
import { ZstdFrameWalker } from "./frames.ts";

/**
 * Each piece costs two thread switches and an allocation, 0.2 ms in all, and should still be in the processor's cache
 * when it is used. bin/sealroot tells malloc to keep memory of this size.
 */
const OUTPUT_PIECE_BYTES = 512 << 10;
/** Some output may wait, so that inflating (in zlib's thread) and using it overlap. */
const ENGINE_OPTIONS = { chunkSize: OUTPUT_PIECE_BYTES, readableHighWaterMark: 4 * OUTPUT_PIECE_BYTES };

export interface DecompressOptions {
  /** More output than this is refused as `unsupported`: a guard against bombs. */
  readonly maxOutputBytes?: number;
  /**
   * A piece is valid only until the next one is requested. Its memory is then freed at once; otherwise V8 collects
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
  for await (const piece of decoder(source, compression)) {
    outputBytes += piece.length;
    if (outputBytes > limit) {
      throw tooMuchOutput(compression, limit);
    }
    yield piece;
    if (options.transient === true && compression !== "none") free(piece);
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

/**
 * Frees the memory that a piece is the last view of: an engine fills one buffer with several pieces, in order. Short
 * waiting pieces are merged into one, copied into Node's pool, which is not an engine's and cannot be freed.
 */
function free({ buffer, byteOffset, byteLength }: Uint8Array): void {
  const isOfEngine = buffer instanceof ArrayBuffer && buffer.byteLength === OUTPUT_PIECE_BYTES;
  if (isOfEngine && byteOffset + byteLength === OUTPUT_PIECE_BYTES) buffer.transfer(0);
}

function decoder(source: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === "none") return source;
  return compression === "gzip" ? gunzip(source) : unzstd(source);
}

async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
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
  yield* decoded(counted(), engine, "gzip");
  // zlib stops at the first zero after a member and ignores what follows, even further members.
  if (fedBytes - engine.bytesWritten > trailingZeros) {
    throw corrupt("Cannot decompress gzip data: something follows the zeros after the last member", {
      offset: engine.bytesWritten,
    });
  }
}

function countTrailingZeros(piece: Uint8Array): number {
  let end = piece.length;
  while (end > 0 && piece[end - 1] === 0) end--;
  return piece.length - end;
}

async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  async function* framed() {
    const walker = new ZstdFrameWalker();
    for await (const piece of source) yield* walker.push(piece);
    walker.finish();
  }
  const engine = createZstdDecompress(ENGINE_OPTIONS);
  yield* decoded(framed(), engine, "zstd");
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
  for await (const piece of decoded(source, engine, "zstd")) {
    outputBytes += piece.length;
    if (outputBytes > maxOutputBytes) throw tooMuchOutput("zstd", maxOutputBytes);
    yield piece;
  }
}

async function* decoded(
  source: AsyncIterable<Uint8Array>,
  engine: Gunzip | ZstdDecompress,
  name: string,
): AsyncGenerator<Uint8Array> {
  try {
    yield* through(source, engine);
  } catch (error) {
    throw isDecoderError(error) ? corrupt(`Cannot decompress ${name} data: ${error.message}`) : error;
  }
}

/** node:zlib marks its errors with codes such as Z_DATA_ERROR and ZSTD_error_corruption_detected. */
function isDecoderError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^Z(STD)?_/.test(error.code);
}
