/** The guard against bombs: blobs that unpack to so much more than they are that they fill the disk. */
import { SealrootError } from "../../errors/index.ts";
import type { BlobName } from "../blobs.ts";

/** However small the blob, its layer may unpack to this much. */
const UNPACKED_FLOOR_BYTES = 2 ** 30;
/**
 * Beyond that, to so many times the blob. Ordinary layers have a ratio of two to five; deflate ends at 1032 (zlib's
 * technical details), zstd has no such end.
 */
const EXPANSION_MAX = 100;

/**
 * How many bytes a layer may unpack to.
 * @param limitBytes what the user said; counts instead of the rule above
 */
export function unpackedLimitBytes(blob: BlobName, limitBytes: number | undefined): number {
  return limitBytes ?? Math.max(UNPACKED_FLOOR_BYTES, blob.size * EXPANSION_MAX);
}

/** The refusal of a layer that goes on behind its limit. */
export function unpacksTooFar(blob: BlobName, limitBytes: number): SealrootError {
  const what = `Cannot pull layer ${blob.digest}: its ${blob.size} bytes unpack to more than ${limitBytes}`;
  return new SealrootError("unsupported", what, {
    expected: `at most ${limitBytes} bytes`,
    actual: `more, from a blob of ${blob.size} bytes`,
    hint: "if you trust the image, allow more with --layer-limit SIZE",
  });
}
