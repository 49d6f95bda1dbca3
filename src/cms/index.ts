/**
 * cms: Cryptographic Message Syntax (RFC 5652, PKCS #7) as Secure Boot uses it: the signature inside a PE file
 * (Authenticode) and the one before an authenticated EFI variable.
 *
 * Format room, pure: bytes in, values out. Knows certificates and signatures, not the files they are in (`pe/`,
 * `efi/` do). The ASN.1 library takes about 0.2 s to load, so it is imported on the first call, never by this index.
 * @module
 */
import type { AuthenticodeClaim } from "./authenticode.ts";
import type { DigestName } from "./object-identifiers.ts";
import type { Signer } from "./signer.ts";
import type { VerifiedSignature } from "./verify.ts";

export type { AuthenticodeClaim } from "./authenticode.ts";
export { type CertificateSummary, certificateOf, describeCertificate, signedPartDigest } from "./certificate.ts";
export { readDerElement } from "./der.ts";
export type { DigestName } from "./object-identifiers.ts";
export { type Signer, signerOfPrivateKey } from "./signer.ts";
export type { VerifiedSignature } from "./verify.ts";

/**
 * Signs the Authenticode digest of a PE image.
 *
 * The result is a ContentInfo of type signedData holding SpcIndirectDataContent, as in a WIN_CERTIFICATE
 * (Windows Authenticode Portable Executable Signature Format 1.0; spec/boot-chain.md C). Equal input gives equal bytes:
 * there is no signing time.
 *
 * @param imageDigest SHA-256, 32 bytes
 * @throws SealrootError `conflict` when the signer's answer is not a signature by its certificate; `unsupported` for a
 *   certificate that is not RSA of 2048 to 4096 bits
 */
export async function signAuthenticode(imageDigest: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const { encodeAuthenticode } = await import("./authenticode.ts");
  return encodeAuthenticode(imageDigest, signer);
}

/**
 * Reads the digest an Authenticode signature vouches for.
 * @throws SealrootError `corrupt` or `unsupported`
 */
export async function readAuthenticode(contentInfo: Uint8Array): Promise<AuthenticodeClaim> {
  const { decodeAuthenticode } = await import("./authenticode.ts");
  return decodeAuthenticode(contentInfo);
}

/**
 * Verifies an Authenticode signature against the certificates of a signature database (`db`).
 *
 * @param imageDigest gives the image's digest by the algorithm the signature names
 * @param trustedCertificates DER; the signer must be one of them or be issued by one of them
 * @throws SealrootError `corrupt` when the digest or the signature is wrong, `untrusted` when the signer is not known
 */
export async function verifyAuthenticode(
  contentInfo: Uint8Array,
  imageDigest: (algorithm: DigestName) => Uint8Array,
  trustedCertificates: readonly Uint8Array[],
): Promise<VerifiedSignature> {
  const authenticode = await import("./authenticode.ts");
  return authenticode.verifyAuthenticode(contentInfo, imageDigest, trustedCertificates);
}

/**
 * Signs bytes that are stored elsewhere: a bare SignedData (no ContentInfo around it) without content and without
 * signed attributes, as an EFI_VARIABLE_AUTHENTICATION_2 wants it (UEFI 2.10, 8.2.2).
 * @throws as {@link signAuthenticode}
 */
export async function signDetached(content: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const { encodeDetached } = await import("./detached.ts");
  return encodeDetached(content, signer);
}

/**
 * Verifies a detached SignedData, bare or inside a ContentInfo, with or without signed attributes.
 * @throws SealrootError `corrupt` or `untrusted`
 */
export async function verifyDetached(
  signedData: Uint8Array,
  content: Uint8Array,
  trustedCertificates: readonly Uint8Array[],
): Promise<VerifiedSignature> {
  const detached = await import("./detached.ts");
  return detached.verifyDetached(signedData, content, trustedCertificates);
}
