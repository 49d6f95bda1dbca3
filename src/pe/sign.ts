/** Signs and verifies whole images. */
import {
  type DigestName,
  type Signer,
  signAuthenticode,
  type VerifiedSignature,
  verifyAuthenticode,
} from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import { authenticodeDigest } from "./authenticode.ts";
import { attachSignature, readSignatures } from "./certificate-table.ts";
import { type PeImage, parsePe } from "./image.ts";

/**
 * Signs an image for Secure Boot. Existing signatures stay first.
 *
 * @returns a new image; the same bytes for the same image and key
 * @throws SealrootError of `parsePe` for the image, `conflict` or `unsupported` for the signer
 */
export async function signPe(bytes: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const digest = authenticodeDigest(parsePe(bytes));
  return attachSignature(bytes, await signAuthenticode(digest, signer));
}

export interface PeVerification extends VerifiedSignature {
  /** Which of the image's signatures was good, counted from 0. */
  readonly signatureIndex: number;
  readonly imageDigest: Uint8Array;
}

/**
 * Verifies an image as firmware does: one signature by a trusted signer is enough (UEFI 2.10, 32.5.3.3).
 *
 * @param trustedCertificates the certificates of `db`, DER
 * @param what names the image in errors
 * @throws SealrootError `untrusted` for an image without signature or by an unknown signer; `corrupt` for one changed
 *   after it was signed. With several signatures the first one's error is given.
 */
export async function verifyPe(
  bytes: Uint8Array,
  trustedCertificates: readonly Uint8Array[],
  what = "PE image",
): Promise<PeVerification> {
  return await verifyClaim(signedClaimOf(parsePe(bytes, what)), trustedCertificates, what);
}

/** What of an image its signatures are about; who has no more of it can still be asked who signed it. */
export interface SignedClaim {
  /** ContentInfo DER, in the order of the image. @throws SealrootError as readSignatures, when it is asked for */
  readonly signatures: readonly Uint8Array[];
  /** The image's Authenticode digest. @throws SealrootError for an algorithm that is not at hand */
  digest(algorithm: DigestName): Uint8Array;
}

/** Signatures and digests are read when they are asked for. */
export function signedClaimOf(image: PeImage): SignedClaim {
  const digests = new Map<DigestName, Uint8Array>();
  return {
    get signatures() {
      return readSignatures(image);
    },
    digest(algorithm) {
      const digest = digests.get(algorithm) ?? authenticodeDigest(image, algorithm);
      digests.set(algorithm, digest);
      return digest;
    },
  };
}

/** As {@link verifyPe}, of the image that a claim is about. */
export async function verifyClaim(
  { signatures, digest: imageDigest }: SignedClaim,
  trustedCertificates: readonly Uint8Array[],
  what = "PE image",
): Promise<PeVerification> {
  const failures: SealrootError[] = [];
  for (const [signatureIndex, signature] of signatures.entries()) {
    try {
      const verified = await verifyAuthenticode(signature, imageDigest, trustedCertificates);
      return { ...verified, signatureIndex, imageDigest: imageDigest(verified.digestAlgorithm) };
    } catch (error) {
      if (!(error instanceof SealrootError)) throw error;
      failures.push(error);
    }
  }
  throw failures[0] ?? new SealrootError("untrusted", `Cannot verify ${what}: it is not signed`);
}
