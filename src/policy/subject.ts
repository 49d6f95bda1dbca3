/** What a policy judges: one image, under the name the user gave it. */
import { createHash } from "node:crypto";
import { SealrootError } from "../errors/index.ts";
import type { ImageName, ImageReference, OpenedPlace, SignatureStore } from "../oci/index.ts";
import { digestLike } from "../oci/index.ts";

/** A manifest or index whose bytes have been checked against the digest. */
export interface SignedDocument {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface PolicySubject {
  /** The user's name for the image, only for messages. */
  readonly reference: ImageReference;
  /** What was opened and found under that name: the policy's scopes are derived from it. */
  readonly place: OpenedPlace;
  /** The image's manifest as in its source, unconverted. */
  readonly manifest: SignedDocument;
  /** Of the indexes through which the image was found, the outermost first. */
  readonly indexDigests: readonly string[];
  /** These indexes, which hold the image's digest; requested only when it is not signed itself. */
  indexes(): Promise<readonly SignedDocument[]>;
  /** Undefined if a source has no place for signatures. */
  readonly signatures: SignatureStore | undefined;
}

/** The name that signatures must agree with; undefined for an image outside registries. */
export function imageName({ place }: PolicySubject): ImageName | undefined {
  return place.transport === "docker" ? place.name : undefined;
}

/** Whether a digest, of any algorithm that is known here, is that of the document. */
export function isDigestOf(digest: string, { bytes }: SignedDocument): boolean {
  return digestLike(digest, bytes) === digest;
}

/** @throws SealrootError `untrusted` when a bundle is about other bytes */
export function requireSameBytes(sha256: Uint8Array, { bytes, digest }: SignedDocument): void {
  if (!createHash("sha256").update(bytes).digest().equals(sha256)) {
    throw rejected(`the bundle is for sha256:${Buffer.from(sha256).toString("hex")}, not for ${digest}`);
  }
}

/** The reason in the words of the reference. */
export const NO_SIGNATURE = "A signature was required, but no signature exists";

/** An unmet requirement. @param reason in the words of the reference if it has any */
export function rejected(reason: string): SealrootError {
  return new SealrootError("untrusted", reason);
}

/**
 * One signature of the image, or of an index that holds it, must be accepted. An index is read only if the image's own
 * signatures do not suffice; the instance must then have the digest that the index has for it.
 *
 * @param fetch the signatures of the document with this digest; none if there is no place for them
 * @param check throws `untrusted` or `corrupt` for a signature that does not count
 * @throws SealrootError `untrusted` in the words of the reference; what `fetch` throws: an unreachable registry must
 *   not look like the absence of signatures
 */
export async function requireSignature<T>(
  subject: PolicySubject,
  fetch: (digest: string) => Promise<readonly T[]>,
  check: (document: SignedDocument, signature: T) => Promise<void>,
): Promise<void> {
  const reasons: string[] = [];
  const isAccepted = async (document: SignedDocument) => {
    for (const signature of await fetch(document.digest)) {
      const reason = await reasonAgainst(check(document, signature));
      if (reason === undefined) return true;
      reasons.push(reason);
    }
    return false;
  };
  if (await isAccepted(subject.manifest)) return;
  for (const index of await subject.indexes()) if (await isAccepted(index)) return;
  const [only] = reasons;
  if (only === undefined) throw rejected(NO_SIGNATURE);
  if (reasons.length === 1) throw rejected(only);
  throw rejected(`None of the signatures were accepted, reasons: ${reasons.join("; ")}`);
}

/** Why a signature does not count; undefined when it does. */
async function reasonAgainst(verdict: Promise<void>): Promise<string | undefined> {
  try {
    await verdict;
    return undefined;
  } catch (error) {
    if (error instanceof SealrootError && (error.code === "untrusted" || error.code === "corrupt"))
      return error.message;
    throw error;
  }
}
