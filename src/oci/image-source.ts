/** Where images come from: one shape for layouts, archives, registries and stores. */
import type { BlobReader } from "./blobs.ts";
import type { Descriptor, ImageIndex } from "./documents.ts";
import type { OpenedPlace } from "./opened-place.ts";
import type { SignatureStore } from "./signature-store.ts";
import type { UnpackedLayers } from "./unpacked-layers.ts";

/** What a reference names, before one image is chosen. */
export interface ImageSource {
  /** What was opened, for the policy. */
  readonly place: OpenedPlace;
  /** One entry for each image or index that the reference can mean; tags are in the entries' annotations. */
  readonly index: ImageIndex;
  /** What to write in a reference for one of several images; absent if there is only one, or no way to name one. */
  readonly names?: readonly string[];
  readonly blobs: BlobReader;
  /** For places that keep layers unpacked instead of as blobs. */
  readonly unpacked?: UnpackedLayers;
  /**
   * The bytes of a manifest or an inner index, checked against the descriptor's digest. Registries keep them apart from
   * blobs.
   */
  readManifest(descriptor: Descriptor): Promise<Uint8Array>;
  /** Where signatures of the image are, if the place can hold them. */
  readonly signatures?: SignatureStore;
  /** Whether blobs come over a network, so what is read more than once is better kept. */
  readonly remote: boolean;
  close(): Promise<void>;
}
