/** Pieces of one size, whatever the input's. */

/**
 * Copies a stream into new pieces of `pieceBytes` bytes; the last may be shorter. zstd's output depends on the pieces
 * it is fed, and an engine may read a piece after the source has reused its memory.
 */
export async function* gathered(source: AsyncIterable<Uint8Array>, pieceBytes: number): AsyncGenerator<Uint8Array> {
  let piece = Buffer.allocUnsafe(pieceBytes);
  let filledBytes = 0;
  for await (const part of source) {
    for (let at = 0; at < part.length; ) {
      const length = Math.min(part.length - at, pieceBytes - filledBytes);
      piece.set(part.subarray(at, at + length), filledBytes);
      filledBytes += length;
      at += length;
      if (filledBytes < pieceBytes) continue;
      yield piece;
      piece = Buffer.allocUnsafe(pieceBytes);
      filledBytes = 0;
    }
  }
  if (filledBytes > 0) yield piece.subarray(0, filledBytes);
}
