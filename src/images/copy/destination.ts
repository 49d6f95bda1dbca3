/** Where images go: one shape for layouts, archives, directories and registries. */
import type { BlobInfo, BlobName, BlobStore, Descriptor } from "../../oci/index.ts";

/** The bytes of a blob to be stored. */
export interface BlobContent {
  /** Undefined where the bytes are made on the way and the digest is known at their end only. */
  readonly name: BlobName | undefined;
  /** The layout that holds the blob, where there is one: another layout can link to it. */
  readonly store?: BlobStore | undefined;
  /** The bytes from the beginning; may be called again when a connection breaks. */
  open(): AsyncIterable<Uint8Array>;
}

/** A blob that is at the destination now. */
export interface StoredBlob extends BlobInfo {
  /** Zero when it turned out to be there already. */
  readonly sentBytes: number;
}

/**
 * One image on its way to a place. The order is the caller's: blobs and configuration, then the manifests of an index,
 * the document that gets the name last of all (spec/chunked-and-policy.md 4.4); then {@link finish}, or {@link abort}
 * after any error. Until `finish` nothing half-made has a final name.
 */
export interface ImageDestination {
  /** How many blobs the place takes at a time; 1 where the order of blobs is part of the result. */
  readonly parallelBlobs: number;
  /** True when the blob is there, or was brought there without sending it. */
  hasBlob(blob: BlobName): Promise<boolean>;
  /**
   * Stores a blob under its digest.
   * @throws SealrootError `corrupt` when the bytes do not have the name they should have
   */
  putBlob(content: BlobContent): Promise<StoredBlob>;
  /**
   * Stores a manifest or index whose parts are there.
   * @param role `named`: it gets the reference's name; `part`: it is reached by its digest, from an index
   */
  putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void>;
  /** Gives the result its final name, durably. */
  finish(): Promise<void>;
  /** Takes back what was begun; never throws. */
  abort(): Promise<void>;
}
