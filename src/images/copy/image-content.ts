/** What is written of one image, wherever it comes from: its documents as they are, and its layers. */
import type { BlobStore, Descriptor, ImageManifest } from "../../oci/index.ts";
import type { ReadImage } from "../sources/choose-image.ts";

/** One layer: as a blob, as the tar in it, or both. */
export interface LayerContent {
  /** As the image's manifest has it. */
  readonly descriptor: Descriptor;
  /** The blob as the descriptor names it; undefined where only its content was kept. */
  readonly blob: (() => AsyncIterable<Uint8Array>) | undefined;
  /** The layout that holds the blob, where there is one. */
  readonly store?: BlobStore | undefined;
  /**
   * The tar stream, checked against the diff id at its end; undefined for a blob that is no tar layer. Its pieces are
   * valid until the next is asked for.
   */
  readonly tar: (() => AsyncIterable<Uint8Array>) | undefined;
  /** Length of the tar stream, where it is known beforehand. */
  readonly tarBytes: number | undefined;
}

/** An image to be written. */
export interface ImageContent extends Pick<ReadImage, "descriptor" | "manifestBytes" | "configBytes"> {
  readonly manifest: Pick<ImageManifest, "config" | "layers">;
  /** Digest of the manifest where it comes from; another one when one of Docker's is written as OCI's. */
  readonly sourceDigest: string;
  readonly layers: readonly LayerContent[];
}
