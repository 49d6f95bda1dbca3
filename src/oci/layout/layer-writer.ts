/** Layers written into a layout: one pass computes the diff id, compresses, and computes the blob's digest. */
import { createHash } from "node:crypto";
import { type Compression, compress } from "../../zstd/index.ts";
import type { Descriptor } from "../documents.ts";
import { LAYER_MEDIA_TYPE } from "../media-types.ts";
import type { OciLayout } from "./layout.ts";

export interface WrittenLayer {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed tar, for the configuration's `rootfs.diff_ids`. */
  readonly diffId: string;
  readonly uncompressedBytes: number;
}

/**
 * Stores a tar stream as a layer blob. Equal tar bytes give equal blobs: the compressors get neither time nor name.
 *
 * @param tar the uncompressed stream
 * @param options.level the compressor's own scale; its default when absent
 */
export async function putLayer(
  layout: OciLayout,
  tar: AsyncIterable<Uint8Array>,
  options: { readonly compression: Compression; readonly level?: number },
): Promise<WrittenLayer> {
  const hash = createHash("sha256");
  let uncompressedBytes = 0;
  async function* hashed() {
    for await (const part of tar) {
      hash.update(part);
      uncompressedBytes += part.length;
      yield part;
    }
  }
  const blob = await layout.blobs.put(compress(hashed(), options.compression, options.level));
  return {
    descriptor: { mediaType: LAYER_MEDIA_TYPE[options.compression], digest: blob.digest, size: blob.size },
    diffId: `sha256:${hash.digest("hex")}`,
    uncompressedBytes,
  };
}
