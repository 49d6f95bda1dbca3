/** One layer of an image, as seen by its pull. */
import type { Descriptor, LayerPlace } from "../../oci/index.ts";
import type { Compression } from "../../zstd/index.ts";

/** A layer of the image: its blob, and the digest of what is in it. */
export interface Layer {
  readonly blob: Descriptor;
  /** For an artifact's blob: the blob's own digest. */
  readonly diffId: string;
  /** Undefined: an artifact's blob, stored unchanged. */
  readonly compression: Compression | undefined;
  /** Of its first use. */
  readonly place: LayerPlace;
}
