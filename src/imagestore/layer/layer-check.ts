/** The guard against bombs: blobs that unpack to so much more than they are that they fill the disk. */
import { SealrootError } from "../../errors/index.ts";
import type { BlobName } from "../../oci/index.ts";
import { DigestCheck } from "../../oci/index.ts";
import type { Layer } from "./layer.ts";

/** However small the blob, its layer may unpack to this much. */
const UNPACKED_FLOOR_BYTES = 2 ** 30;
/**
 * Beyond that, to so many times the blob. Ordinary layers have a ratio of two to five; deflate ends at 1032 (zlib's
 * technical details), zstd has no such end.
 */
const EXPANSION_MAX = 100;

/** The way out for an image that is trusted. */
export const LAYER_LIMIT_HINT = "if you trust the image, allow more with --layer-limit SIZE";

/**
 * How many bytes a layer may unpack to.
 * @param limitBytes what the user said; counts instead of the rule above
 */
export function unpackedLimitBytes(blob: BlobName, limitBytes: number | undefined): number {
  return limitBytes ?? Math.max(UNPACKED_FLOOR_BYTES, blob.size * EXPANSION_MAX);
}

/** Watches a layer's tar stream on its way: whether it is the one the diff id names, and does not go on too far. */
export class LayerCheck {
  readonly #blob: BlobName;
  readonly #check: DigestCheck;
  /** More than this it may not unpack to. */
  readonly limitBytes: number;

  /** @param limitBytes as in {@link unpackedLimitBytes} */
  constructor({ blob, diffId }: Pick<Layer, "blob" | "diffId">, limitBytes: number | undefined) {
    this.#blob = blob;
    this.#check = new DigestCheck(diffId);
    this.limitBytes = unpackedLimitBytes(blob, limitBytes);
  }

  /** Bytes seen so far. */
  get bytes(): number {
    return this.#check.bytes;
  }

  /** @throws SealrootError `unsupported` behind the limit */
  update(piece: Uint8Array): void {
    this.#check.update(piece);
    if (this.#check.bytes > this.limitBytes) throw unpacksTooFar(this.#blob, this.limitBytes);
  }

  /** @param what names the stream in the error @throws SealrootError `corrupt` when it is another one */
  finish(what: string): void {
    this.#check.finish(what);
  }
}

function unpacksTooFar(blob: BlobName, limitBytes: number): SealrootError {
  const what = `Cannot unpack it: its ${blob.size} bytes become more than ${limitBytes}`;
  return new SealrootError("unsupported", what, {
    expected: `at most ${limitBytes} bytes`,
    actual: `more, from a blob of ${blob.size} bytes`,
    hint: LAYER_LIMIT_HINT,
  });
}
