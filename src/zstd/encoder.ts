/** A zstd compressor to push into, for writers that cannot be a source themselves. */
import { once } from "node:events";
import { finished } from "node:stream/promises";
import {
  constants,
  createZstdCompress,
  type ZstdOptions,
  zstdCompress,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { corrupt, hasErrno } from "../errors/index.ts";
import { tooMuchOutput } from "./decompress.ts";
import { ZstdFrameWalker } from "./frames.ts";

const OUTPUT_PIECE_BYTES = 128 << 10;

/** Compresses what is pushed into one frame, in zlib's thread, and keeps the result. */
export class ZstdEncoder {
  readonly #engine;
  readonly #ended: Promise<void>;
  readonly #output: Uint8Array[] = [];
  /** Pending writes, and whom to tell when none is left. */
  #writing = 0;
  #idle: () => void = () => {};

  /** @param level 1..22; 3 is the library's default */
  constructor(level: number) {
    this.#engine = createZstdCompress({
      chunkSize: OUTPUT_PIECE_BYTES,
      params: { [constants.ZSTD_c_compressionLevel]: level },
    });
    this.#engine.on("data", (piece: Buffer) => this.#output.push(piece));
    this.#ended = finished(this.#engine);
    this.#ended.catch(() => {});
  }

  /** Takes ownership of `bytes`, which must not change afterwards. */
  write(bytes: Uint8Array): void {
    this.#writing += 1;
    this.#engine.write(bytes, () => {
      this.#writing -= 1;
      if (this.#writing === 0) this.#idle();
    });
  }

  /** Resolves when little is waiting to be compressed; await it between writes to bound the memory. */
  async drained(): Promise<void> {
    if (this.#engine.writableNeedDrain) await once(this.#engine, "drain");
  }

  /**
   * Ends the frame and returns it. Waits first, so that equal writes give equal frames: a last write that is still
   * waiting would be marked as the last and compressed differently from one already begun.
   */
  async finish(): Promise<Uint8Array> {
    if (this.#writing > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#engine.end();
    await this.#ended;
    return Buffer.concat(this.#output);
  }
}

/** One frame of bytes in memory. @param level 1..22; the library's default when undefined */
export function zstdFrame(bytes: Uint8Array, level?: number): Uint8Array {
  return zstdCompressSync(bytes, { params: levelParameter(level) });
}

/**
 * The same bytes as {@link zstdFrame}, compressed in zlib's thread. The size is given beforehand: otherwise the library
 * reserves memory for the level's largest window.
 */
export function zstdFrameAsync(bytes: Uint8Array, level?: number): Promise<Uint8Array> {
  const options: ZstdOptions = { params: levelParameter(level), pledgedSrcSize: bytes.length };
  return new Promise((resolve, reject) => {
    zstdCompress(bytes, options, (error, frame) => (error === null ? resolve(frame) : reject(error)));
  });
}

function levelParameter(level: number | undefined): Record<number, number> {
  return level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
}

/**
 * All frames of bytes in memory, decompressed.
 * @param excess the code when more comes out: `corrupt` if something states the length, else `unsupported`
 * @throws SealrootError `corrupt` for bad or truncated data; `excess`
 */
export function unzstdWhole(
  bytes: Uint8Array,
  maxOutputBytes: number,
  excess: "corrupt" | "unsupported" = "corrupt",
): Uint8Array {
  const walker = new ZstdFrameWalker();
  const frames = walker.push(bytes);
  walker.finish();
  let room = maxOutputBytes;
  const contents = frames.map((frame) => {
    try {
      // The engine has no limit of zero.
      const content = zstdDecompressSync(frame, { maxOutputLength: Math.max(room, 1) });
      room -= content.length;
      if (room >= 0) return content;
    } catch (error) {
      if (hasErrno(error, "ERR_BUFFER_TOO_LARGE")) throw tooMuchOutput("zstd", maxOutputBytes, excess);
      throw corrupt(`Cannot decompress zstd data: ${error instanceof Error ? error.message : error}`);
    }
    throw tooMuchOutput("zstd", maxOutputBytes, excess);
  });
  return Buffer.concat(contents);
}
