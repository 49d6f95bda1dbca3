/** Reading a file through in memory that is used again. */
import type { FileHandle } from "node:fs/promises";

/** Large enough that a read costs as much as its bytes, small enough for the processor's cache. */
const PIECE_BYTES = 1 << 20;

/**
 * The bytes `start..end` (half-open) of an open file, each piece valid until the next is requested: the next one is read into other
 * memory meanwhile. Fresh memory for each would have V8 collect garbage in the whole heap for every 20 MB.
 *
 * @returns fewer bytes when the file ends early
 * @throws Error of the file system
 */
export async function* filePieces(file: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  const pieceBytes = Math.min(PIECE_BYTES, end - start);
  const read = (target: Uint8Array, at: number) => {
    const reading = file.read(target, 0, Math.min(target.length, end - at), at);
    // It is awaited later, or its failure is of no interest.
    reading.catch(() => {});
    return reading;
  };
  let [current, other] = [Buffer.allocUnsafeSlow(pieceBytes), Buffer.allocUnsafeSlow(pieceBytes)];
  let reading = read(current, start);
  try {
    for (let at = start; at < end; ) {
      const { bytesRead } = await reading;
      if (bytesRead === 0) return;
      at += bytesRead;
      const piece = current.subarray(0, bytesRead);
      [current, other] = [other, current];
      if (at < end) reading = read(current, at);
      yield piece;
    }
  } finally {
    // Who closes the file must not have it read any more.
    await reading.catch(() => {});
  }
}
