/** A tar stream becomes a layer blob. Equal streams give equal blobs: fixed levels, neither time nor name. */
import { CHUNKED_ANNOTATION, ChunkedCompressor, COMPRESSION_ANNOTATIONS } from "../../chunked/index.ts";
import type { Descriptor } from "../../oci/index.ts";
import { LAYER_MEDIA_TYPE, layerCompression } from "../../oci/index.ts";
import { type Compression, compress } from "../../zstd/index.ts";

/** How a layer is written. */
export type LayerPacking = Compression | "zstd:chunked";

/** The libraries' own defaults, stated here so that they do not change. */
const LEVEL = { none: undefined, gzip: 6, zstd: 3 } as const;

/** A blob being made. */
export interface PackedLayer {
  readonly parts: AsyncIterable<Uint8Array>;
  readonly mediaType: string;
  /** What else the descriptor must say; ask only after the last part. */
  annotations(): Readonly<Record<string, string>>;
}

/** Compresses a tar stream, whose pieces are valid until the next is requested. */
export function packLayer(tar: AsyncIterable<Uint8Array>, packing: LayerPacking): PackedLayer {
  if (packing === "zstd:chunked") {
    const compressor = new ChunkedCompressor({ level: LEVEL.zstd });
    const parts = compressor.compress(tar);
    return { parts, mediaType: LAYER_MEDIA_TYPE.zstd, annotations: () => compressor.annotations };
  }
  return {
    parts: compress(tar, packing, LEVEL[packing]),
    mediaType: LAYER_MEDIA_TYPE[packing],
    annotations: () => ({}),
  };
}

/** The packing that a descriptor states; undefined for anything but a tar layer. */
export function packingOf({ mediaType, annotations }: Descriptor): LayerPacking | undefined {
  const compression = layerCompression(mediaType);
  const hasTable = compression === "zstd" && annotations?.[CHUNKED_ANNOTATION.tocPosition] !== undefined;
  return hasTable ? "zstd:chunked" : compression;
}

/**
 * The annotations of a descriptor that apply to its content however it is packed: a table of contents belongs to one
 * packing (spec/chunked-and-policy.md 1.9).
 */
export function contentAnnotations(descriptor: Descriptor): Record<string, string> {
  const entries = Object.entries(descriptor.annotations ?? {});
  return Object.fromEntries(entries.filter(([key]) => !COMPRESSION_ANNOTATIONS.includes(key)));
}
