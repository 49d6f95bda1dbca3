/** Where images go: one shape for layouts, archives, directories and registries. */
import type { BlobInfo, BlobName, BlobStore, Descriptor } from "../../oci/index.ts";

/** The bytes of a blob to be stored. */
export interface BlobContent {
  /** Undefined if the bytes are made on the way and the digest is known only at their end. */
  readonly name: BlobName | undefined;
  /** The layout that holds the blob, if any: another layout can link to it. */
  readonly store?: BlobStore | undefined;
  /** The bytes from the beginning; may be called again when a connection breaks. */
  open(): AsyncIterable<Uint8Array>;
}

/** A blob that is at the destination now. */
export interface StoredBlob extends BlobInfo {
  /** Zero if it turned out to be there already. */
  readonly sentBytes: number;
}

/**
 * One image being written to a place. The caller keeps the order: blobs and configuration, then the manifests of an
 * index, last the document that gets the name (spec/chunked-and-policy.md 4.4); then {@link finish}, or {@link abort}
 * after any error. Until `finish` nothing unfinished has a final name.
 */
export interface ImageDestination {
  /** How many blobs the place accepts at a time; 1 if the order of blobs is part of the result. */
  readonly parallelBlobs: number;
  /** True when the blob is there, or got there without sending it. */
  hasBlob(blob: BlobName): Promise<boolean>;
  /**
   * Stores a blob under its digest.
   * @throws SealrootError `corrupt` when the bytes do not match their name
   */
  putBlob(content: BlobContent): Promise<StoredBlob>;
  /**
   * Stores a manifest or index whose parts are there.
   * @param role `named`: it gets the reference's name; `part`: it is reached by its digest, from an index
   */
  putManifest(descriptor: Descriptor, bytes: Uint8Array, role: "named" | "part"): Promise<void>;
  /** Gives the result its final name, durably. */
  finish(): Promise<void>;
  /** Removes what was begun; never throws. */
  abort(): Promise<void>;
}
