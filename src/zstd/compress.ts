/** Compression of a byte stream, deterministic: no time, no file name, one thread, input in pieces of one size. */
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { through } from "./engine.ts";
import { gathered } from "./gather.ts";

/** The framings of layers: none, RFC 1952, RFC 8878. */
export type Compression = "none" | "gzip" | "zstd";

/** Output comes in pieces of this size. */
const PIECE_BYTES = 1 << 20;

function encoder(compression: "gzip" | "zstd", level: number | undefined) {
  if (compression === "gzip") return createGzip({ chunkSize: PIECE_BYTES, ...(level === undefined ? {} : { level }) });
  const params = level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
  return createZstdCompress({ chunkSize: PIECE_BYTES, params });
}

/**
 * Compresses a stream into one gzip member or one zstd frame. Equal streams give equal bytes, however they are cut into
 * pieces. A piece need be valid only until the next is requested, unless nothing is compressed.
 *
 * @param level the format's own scale (gzip 0..9, zstd 1..22); the library's default when undefined
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  level?: number,
): AsyncGenerator<Uint8Array> {
  if (compression === "none") {
    yield* source;
    return;
  }
  yield* through(gathered(source, PIECE_BYTES), encoder(compression, level));
}
