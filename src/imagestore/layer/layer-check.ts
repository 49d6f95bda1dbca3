/** The guard against bombs: blobs that unpack to so much more than their size that they fill the disk. */
import { SealrootError } from "../../errors/index.ts";
import type { BlobName } from "../../oci/index.ts";
import { DigestCheck } from "../../oci/index.ts";
import type { Layer } from "./layer.ts";

/** A layer may always unpack to this much, however small its blob. */
const UNPACKED_FLOOR_BYTES = 2 ** 30;
/**
 * Beyond that, to this many times the blob. Ordinary layers have a ratio of two to five; deflate's limit is 1032
 * (zlib's technical details), zstd has none.
 */
const EXPANSION_MAX = 100;

/** The way out for an image that is trusted. */
export const LAYER_LIMIT_HINT = "if you trust the image, allow more with --layer-limit SIZE";

/**
 * How many bytes a layer may unpack to.
 * @param limitBytes the user's limit, which replaces the rule above
 */
export function unpackedLimitBytes(blob: BlobName, limitBytes: number | undefined): number {
  return limitBytes ?? Math.max(UNPACKED_FLOOR_BYTES, blob.size * EXPANSION_MAX);
}

/** Watches a layer's tar stream as it passes: that it matches the diff id and does not get too long. */
export class LayerCheck {
  readonly #blob: BlobName;
  readonly #check: DigestCheck;
  /** It may not unpack to more than this. */
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

  /** @throws SealrootError `unsupported` past the limit */
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
