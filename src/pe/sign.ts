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
import { parsePe } from "./image.ts";

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
  const image = parsePe(bytes, what);
  const signatures = readSignatures(image);
  const digests = new Map<DigestName, Uint8Array>();
  const imageDigest = (algorithm: DigestName): Uint8Array => {
    const digest = digests.get(algorithm) ?? authenticodeDigest(image, algorithm);
    digests.set(algorithm, digest);
    return digest;
  };
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
