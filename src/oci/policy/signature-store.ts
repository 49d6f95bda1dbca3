/** Where the signatures of an image are looked for: the registry it comes from, or the layout it lies in. */
import type { BlobReader } from "../blobs.ts";
import type { Descriptor } from "../documents.ts";

/** A manifest or index as it was served. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What is looked up beside an image, in its own repository. */
export interface SignatureStore {
  /**
   * The manifest of a tag; undefined when there is none. That the registry cannot be reached or says no is an error: it
   * must not look like the absence of signatures.
   */
  fetchTagged(tag: string): Promise<StoredManifest | undefined>;
  /** The manifest a descriptor names, checked against its digest. */
  fetchManifest(descriptor: Descriptor): Promise<StoredManifest>;
  /** Blobs, checked against their digests. */
  readonly blobs: Pick<BlobReader, "readWhole">;
  /**
   * What refers to the manifest with `digest` (OCI distribution specification, "Listing referrers"), by the API or by the
   * tag that stands in for it. May hold more than `artifactType` asks for.
   */
  listReferrers(digest: string, artifactType: string): Promise<readonly Descriptor[]>;
}
