/** Checking objects whose bytes another thread reads for its own purpose. */
import { type VerityAlgorithm, VerityHasher, verityDigests } from "../../verity/index.ts";

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
  for (let index = 0; index < pieces.length; ) {
    const whole = wholeObjects(pieces, index);
    if (whole.length > 0) {
      const end = start + whole.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
      digests.push(...verityDigests(bytes.subarray(start, end), whole, algorithm));
      index += whole.length;
      start = end;
      continue;
    }
    const piece = pieces[index];
    if (piece === undefined) break;
    const { sizeBytes, begins, ends } = piece;
    // An object begun earlier but not ended could not be read to its end.
    if (begins || hasher === undefined) hasher = new VerityHasher(algorithm);
    hasher.update(bytes.subarray(start, start + sizeBytes));
    if (ends) digests.push(hasher.hexDigest());
    start += sizeBytes;
    index++;
  }
  return digests;
}

/** The lengths of the objects from `first` on that begin and end in the request. */
function wholeObjects(pieces: readonly ObjectPiece[], first: number): number[] {
  const after = pieces.findIndex(({ begins, ends }, index) => index >= first && !(begins && ends));
  return pieces.slice(first, after === -1 ? pieces.length : after).map(({ sizeBytes }) => sizeBytes);
}
