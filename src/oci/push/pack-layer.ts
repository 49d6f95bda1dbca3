/** A tar stream becomes a layer blob. Equal streams give equal blobs: fixed levels, no time, no name. */
import { type Compression, compress } from "../../zstd/index.ts";
import type { Descriptor } from "../documents.ts";
import { LAYER_MEDIA_TYPE, layerCompression } from "../media-types.ts";

/** How a layer is written. */
export type LayerPacking = (typeof LAYER_PACKINGS)[number];

export const LAYER_PACKINGS = ["gzip", "zstd", "none"] as const;

/** The libraries' own defaults, said here so that they stay. */
const LEVEL: Readonly<Record<Compression, number | undefined>> = { none: undefined, gzip: 6, zstd: 3 };

/** A blob under way. */
export interface PackedLayer {
  readonly parts: AsyncIterable<Uint8Array>;
  readonly mediaType: string;
  /** What the descriptor must say besides; to be asked for when the parts have come to their end. */
  annotations(): Readonly<Record<string, string>>;
}

/** Compresses a tar stream, whose pieces are valid until the next is asked for. */
export function packLayer(tar: AsyncIterable<Uint8Array>, packing: LayerPacking): PackedLayer {
  return {
    parts: compress(tar, packing, LEVEL[packing]),
    mediaType: LAYER_MEDIA_TYPE[packing],
    annotations: () => ({}),
  };
}

/** The packing that a descriptor tells of; undefined for what is no tar layer. */
export function packingOf(descriptor: Descriptor): LayerPacking | undefined {
  return layerCompression(descriptor.mediaType);
}

/**
 * Annotations that describe the bytes of one packing, which another packing must drop (spec/chunked-and-policy.md 1.9;
 * the last is eStargz's).
 */
const PACKING_ANNOTATIONS: ReadonlySet<string> = new Set([
  "io.github.containers.zstd-chunked.manifest-position",
  "io.github.containers.zstd-chunked.manifest-checksum",
  "io.github.containers.zstd-chunked.tarsplit-position",
  "io.github.containers.zstd-chunked.tarsplit-checksum",
  "containerd.io/snapshot/stargz/toc.digest",
]);

/** The annotations of a descriptor that hold for its content however it is packed. */
export function contentAnnotations(descriptor: Descriptor): Record<string, string> {
  const entries = Object.entries(descriptor.annotations ?? {});
  return Object.fromEntries(entries.filter(([key]) => !PACKING_ANNOTATIONS.has(key)));
}
