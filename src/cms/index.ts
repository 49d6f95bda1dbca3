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
import type { AuthenticodeToSign } from "./to-be-signed.ts";
import type { VerifiedSignature } from "./verify.ts";

export type { AuthenticodeClaim } from "./authenticode.ts";
export {
  type CertificateSummary,
  certificateOf,
  describeCertificate,
  issuerAndSerial,
  signedPartDigest,
} from "./certificate.ts";
export { readDerElement } from "./der.ts";
export type { DigestName } from "./object-identifiers.ts";
export { type Signer, signerOfPrivateKey } from "./signer.ts";
export type { AuthenticodeToSign } from "./to-be-signed.ts";
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
 * What a signer elsewhere has to sign for an image.
 * @param imageDigest SHA-256, 32 bytes
 */
export async function authenticodeToSign(imageDigest: Uint8Array): Promise<AuthenticodeToSign> {
  const { encodeToSign } = await import("./to-be-signed.ts");
  return encodeToSign(imageDigest);
}

/**
 * The signature message of a bare RSA PKCS #1 v1.5 signature with SHA-256 over {@link AuthenticodeToSign.attributes}.
 * @throws SealrootError `conflict` when it is not one by this certificate
 */
export async function authenticodeOfRawSignature(
  imageDigest: Uint8Array,
  certificateDer: Uint8Array,
  signature: Uint8Array,
): Promise<Uint8Array> {
  const { encodeOfRawSignature } = await import("./to-be-signed.ts");
  return encodeOfRawSignature(imageDigest, certificateDer, signature);
}

/**
 * The signature message of a PKCS #7 or CMS message made elsewhere, with the content in it or detached. It is put into the form
 * that firmware reads, and not verified: {@link verifyAuthenticode} does that.
 *
 * @param certificateDer the signer's, for a message without certificates
 * @throws SealrootError `corrupt`; `unsupported` for a signature of something else than SpcIndirectData
 */
export async function authenticodeOfMessage(
  message: Uint8Array,
  imageDigest: Uint8Array,
  certificateDer?: Uint8Array,
): Promise<Uint8Array> {
  const { encodeOfMessage } = await import("./to-be-signed.ts");
  return encodeOfMessage(message, imageDigest, certificateDer);
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

/**
 * What to ask a timestamping service about a signature message (RFC 3161 2.4.1).
 * @param nonce 8 bytes or so that the answer must repeat
 * @returns the request's DER
 */
export async function timestampRequest(contentInfo: Uint8Array, nonce: Uint8Array): Promise<Uint8Array> {
  const { encodeTimestampRequest } = await import("./timestamp.ts");
  return encodeTimestampRequest(contentInfo, nonce);
}

/**
 * Puts a service's answer beside the signature it is about, as Authenticode has it (an unsigned attribute).
 *
 * @param response the service's answer, DER
 * @returns the signature message and the time that the service states
 * @throws SealrootError `failed` when the service refuses; `corrupt` for an answer about something else, or one that its own
 *   certificate did not sign
 */
export async function withTimestamp(
  contentInfo: Uint8Array,
  response: Uint8Array,
  nonce: Uint8Array,
): Promise<{ readonly contentInfo: Uint8Array; readonly time: Date }> {
  const { attachTimestamp } = await import("./timestamp.ts");
  return attachTimestamp(contentInfo, response, nonce);
}
