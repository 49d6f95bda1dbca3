/** What is written of one image, wherever it comes from: its unchanged documents, and its layers. */
import type { BlobStore, Descriptor, ImageManifest } from "../../oci/index.ts";
import type { ReadImage } from "../sources/choose-image.ts";

/** One layer: as a blob, as the tar in it, or both. */
export interface LayerContent {
  /** As in the image's manifest. */
  readonly descriptor: Descriptor;
  /** The blob that the descriptor names; undefined if only its content was kept. */
  readonly blob: (() => AsyncIterable<Uint8Array>) | undefined;
  /** The layout that holds the blob, if any. */
  readonly store?: BlobStore | undefined;
  /**
   * The tar stream, checked against the diff id at its end; undefined for a blob that is not a tar layer. Its pieces
   * are valid until the next is requested.
   */
  readonly tar: (() => AsyncIterable<Uint8Array>) | undefined;
  /** Length of the tar stream, if known beforehand. */
  readonly tarBytes: number | undefined;
}

/** An image to be written. */
export interface ImageContent extends Pick<ReadImage, "descriptor" | "manifestBytes" | "configBytes"> {
  readonly manifest: Pick<ImageManifest, "config" | "layers">;
  /** Digest of the manifest at its source; it changes when a Docker manifest is written as an OCI one. */
  readonly sourceDigest: string;
  readonly layers: readonly LayerContent[];
}
