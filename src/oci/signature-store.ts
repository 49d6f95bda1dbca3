/** Where the signatures of an image are looked for: the registry it comes from, or the layout it is in. */

import { SealrootError } from "../errors/index.ts";
import type { BlobReader } from "./blobs.ts";
import type { Descriptor } from "./documents.ts";

/** Signatures of one image that are read: each costs a request, and all are in memory at the same time. */
const SIGNATURES_MAX = 256;
const SIGNATURES_MAX_BYTES = 64 << 20;

/** A manifest or index as served. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What is looked up beside an image, in its own repository. */
export interface SignatureStore {
  /**
   * The manifest of a tag; undefined when there is none. An unreachable or refusing registry is an error: it must not
   * look like the absence of signatures.
   */
  fetchTagged(tag: string): Promise<StoredManifest | undefined>;
  /** The manifest a descriptor names, checked against its digest. */
  fetchManifest(descriptor: Descriptor): Promise<StoredManifest>;
  /** Blobs, checked against their digests. */
  readonly blobs: Pick<BlobReader, "readWhole">;
  /**
   * What refers to the manifest with `digest` (OCI distribution specification, "Listing referrers"), by the API or by
   * the tag that replaces it. May hold more than `artifactType` asks for.
   */
  listReferrers(digest: string, artifactType: string): Promise<readonly Descriptor[]>;
}

/**
 * Reads the blobs that hold signatures.
 * @param what names them in errors, such as "signatures sha256-….sig"
 * @throws SealrootError `unsupported` for more or longer ones than any image has; `corrupt`, or as the registry says
 */
export function readSignatureBlobs(
  store: SignatureStore,
  blobs: readonly Descriptor[],
  what: string,
): Promise<Uint8Array[]> {
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  if (blobs.length > SIGNATURES_MAX || bytes > SIGNATURES_MAX_BYTES) {
    const limits = `there are more than ${SIGNATURES_MAX}, or they have more than ${SIGNATURES_MAX_BYTES} bytes`;
    throw new SealrootError("unsupported", `Cannot read ${what}: ${limits}`);
  }
  return Promise.all(blobs.map((blob) => store.blobs.readWhole(blob)));
}
