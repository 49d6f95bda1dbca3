/** Checking objects whose bytes another thread reads for its own purpose. */
import { type VerityAlgorithm, VerityHasher } from "../../verity/index.ts";

interface VerifyPiecesInput {
  readonly algorithm: VerityAlgorithm;
  /** The concatenated pieces; an object continues in the next request. All requests go to one worker. */
  readonly bytes: Uint8Array;
  readonly pieces: readonly ObjectPiece[];
}

export interface ObjectPiece {
  readonly sizeBytes: number;
  /** The object's first piece, and its last. */
  readonly begins: boolean;
  readonly ends: boolean;
}

let hasher: VerityHasher | undefined;

/** @returns the fs-verity digests of the objects that end in the request */
export function verifyPieces({ algorithm, bytes, pieces }: VerifyPiecesInput): string[] {
  const digests: string[] = [];
  let start = 0;
  for (const { sizeBytes, begins, ends } of pieces) {
    // An object begun earlier but not ended could not be read to its end.
    if (begins || hasher === undefined) hasher = new VerityHasher(algorithm);
    hasher.update(bytes.subarray(start, start + sizeBytes));
    if (ends) digests.push(hasher.hexDigest());
    start += sizeBytes;
  }
  return digests;
}
