/** The content of a root file system: a flat list, parents before children. */
import type { ByteString } from "../bytes/index.ts";
import type { Metadata } from "../tree/index.ts";

interface Named {
  /** From the root of the file system, without leading slash; empty for the root directory itself. */
  readonly path: ByteString;
}

/** One name in the file system. Access and modification time are the metadata's; the other two are the disk's time. */
export type DiskEntry =
  | (Named & { readonly kind: "directory"; readonly metadata: Metadata })
  | (Named & {
      readonly kind: "file";
      readonly metadata: Metadata;
      /** File of the building host that provides the bytes. */
      readonly source: string;
      /**
       * The source is laid out as in `verity/` (data, hole, Merkle tree, descriptor) and becomes a verity file whose
       * data have this length.
       */
      readonly veritySizeBytes?: number;
    })
  | (Named & { readonly kind: "symlink"; readonly metadata: Metadata; readonly target: ByteString })
  | (Named & { readonly kind: "fifo" | "socket"; readonly metadata: Metadata })
  | (Named & {
      readonly kind: "character-device" | "block-device";
      readonly metadata: Metadata;
      readonly major: number;
      readonly minor: number;
    })
  /** Another name for a file listed earlier. */
  | (Named & { readonly kind: "hard-link"; readonly existing: ByteString });
