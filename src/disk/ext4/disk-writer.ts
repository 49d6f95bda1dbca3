/** Writes blocks to a disk in few and large pieces. */
import { writeSync } from "node:fs";
import { asSealrootError } from "../../errors/index.ts";
import { BLOCK_BYTES } from "../../ext4/index.ts";

/** Large enough that a write costs as much as its bytes. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * Consecutive blocks are collected and written at once. Out of order is correct too, only slower.
 */
export class DiskWriter {
  readonly #file: number;
  readonly #startBytes: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** Block of the buffer's beginning. */
  #block = 0;
  #usedBytes = 0;

  /**
   * @param file open for writing
   * @param startBytes where the file system begins
   */
  constructor(file: number, startBytes: number) {
    this.#file = file;
    this.#startBytes = startBytes;
  }

  /** Writes whole blocks. */
  write(block: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const room = this.room(block + done / BLOCK_BYTES, Math.ceil((bytes.length - done) / BLOCK_BYTES));
      const piece = bytes.subarray(done, done + room.length);
      room.set(piece);
      done += piece.length;
    }
  }

  /**
   * Room for at most this many blocks, which the caller fills entirely before anything else is written.
   *
   * @returns whole blocks, at least one
   */
  room(block: number, count: number): Uint8Array {
    const isNext = block === this.#block + this.#usedBytes / BLOCK_BYTES;
    if (!isNext || this.#usedBytes === BUFFER_BYTES) {
      this.flush();
      this.#block = block;
    }
    const end = Math.min(this.#usedBytes + count * BLOCK_BYTES, BUFFER_BYTES);
    const room = this.#buffer.subarray(this.#usedBytes, end);
    this.#usedBytes = end;
    return room;
  }

  /** Writes what was collected. @throws SealrootError `no-space` when the disk's own file system is full */
  flush(): void {
    let done = 0;
    try {
      while (done < this.#usedBytes) {
        const position = this.#startBytes + this.#block * BLOCK_BYTES + done;
        done += writeSync(this.#file, this.#buffer, done, this.#usedBytes - done, position);
      }
    } catch (error) {
      throw asSealrootError(error, "Cannot write the root file system");
    }
    this.#block += this.#usedBytes / BLOCK_BYTES;
    this.#usedBytes = 0;
  }
}
