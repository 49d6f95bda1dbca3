/** A zstd compressor to push into, for writers that cannot be turned into a source of their own. */
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { corrupt } from "../errors/index.ts";
import { ZstdFrameWalker } from "./frames.ts";

const OUTPUT_PIECE_BYTES = 128 << 10;

/** Compresses what is pushed into one frame, in zlib's thread, and keeps the result. */
export class ZstdEncoder {
  readonly #engine;
  readonly #ended: Promise<void>;
  readonly #output: Uint8Array[] = [];

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

  /** Takes over `bytes`, which must not change afterwards. */
  write(bytes: Uint8Array): void {
    this.#engine.write(bytes);
  }

  /** Resolves when little is waiting to be compressed; await it between writes to bound the memory. */
  async drained(): Promise<void> {
    if (this.#engine.writableNeedDrain) await once(this.#engine, "drain");
  }

  /** Ends the frame and returns it. */
  async finish(): Promise<Uint8Array> {
    this.#engine.end();
    await this.#ended;
    return Buffer.concat(this.#output);
  }
}

/** One frame of bytes at hand. */
export function zstdFrame(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes);
}

/**
 * All frames of bytes at hand, decompressed.
 * @throws SealrootError `corrupt` for bad or truncated data, or for more than `maxOutputBytes`
 */
export function unzstdWhole(bytes: Uint8Array, maxOutputBytes: number): Uint8Array {
  const walker = new ZstdFrameWalker();
  const frames = walker.push(bytes);
  walker.finish();
  let room = maxOutputBytes;
  const contents = frames.map((frame) => {
    try {
      const content = zstdDecompressSync(frame, { maxOutputLength: Math.max(room, 1) });
      room -= content.length;
      return content;
    } catch (error) {
      throw corrupt(`Cannot decompress zstd data: ${error instanceof Error ? error.message : error}`);
    }
  });
  return Buffer.concat(contents);
}
