/** Verifies a decoded SignedData: message digest, signature, and the path to a trusted certificate. */
import { createHash, verify, type X509Certificate } from "node:crypto";
import type { IssuerAndSerialNumber } from "@peculiar/asn1-cms";
import { Certificate } from "@peculiar/asn1-x509";
import { toHex } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import {
  type CertificateSummary,
  certificateOf,
  describeCertificate,
  findTrustedPath,
  requireRsa,
} from "./certificate.ts";
import type { DecodedSignedData } from "./decode.ts";
import { type DigestName, describeAlgorithm, FORGEABLE_SIGNATURE_IDS } from "./object-identifiers.ts";
import { encodeAsn, parseAsn } from "./schema.ts";

/** Who made a good signature. */
export interface VerifiedSignature {
  readonly digestAlgorithm: DigestName;
  readonly signer: CertificateSummary;
  /** The certificates from the signer to the trusted one, both included. */
  readonly trustedPath: readonly CertificateSummary[];
}

/**
 * Verifies signature and signer. Every key on the path from the signer to the trusted certificate must be one that
 * firmware supports, and every certificate on it but the trusted one must be issued with an unforgeable hash.
 *
 * @param content the signed bytes: an embedded content without tag and length, or the detached content
 * @param what names the signature in errors
 * @throws SealrootError `corrupt` when the bytes are not those that were signed, `untrusted` when the signer is unknown,
 *   `unsupported` for a key or a hash that is too weak
 */
export function verifySignedData(
  message: DecodedSignedData,
  content: Uint8Array,
  trustedCertificates: readonly Uint8Array[],
  what: string,
): VerifiedSignature {
  const certificates = message.certificates.map((der) => ({ der, certificate: certificateOf(der) }));
  const signer = certificates.find(({ der }) => isNamedBy(der, message.signerIdentifier))?.certificate;
  if (signer === undefined) throw corrupt(`Cannot verify ${what}: it does not contain its signer's certificate`);
  requireRsa(signer);
  checkMessageDigest(message, content, what);
  checkSignature(message, content, signer, what);
  const companions = certificates.map(({ certificate }) => certificate);
  const path = findTrustedPath(signer, companions, trustedCertificates.map(certificateOf));
  for (const certificate of path) requireRsa(certificate);
  for (const certificate of path.slice(0, -1)) requireSafeHash(certificate);
  return {
    digestAlgorithm: message.digestAlgorithm,
    signer: describeCertificate(signer),
    trustedPath: path.map(describeCertificate),
  };
}

function checkMessageDigest(message: DecodedSignedData, content: Uint8Array, what: string): void {
  if (message.messageDigest === undefined) return;
  const actual = createHash(message.digestAlgorithm).update(content).digest("hex");
  const expected = toHex(message.messageDigest);
  if (actual !== expected) {
    throw corrupt(`Cannot verify ${what}: the signed digest does not match the content`, { expected, actual });
  }
}

function checkSignature(message: DecodedSignedData, content: Uint8Array, signer: X509Certificate, what: string): void {
  const signedBytes = message.signedAttributesDer ?? content;
  if (verify(message.digestAlgorithm, signedBytes, signer.publicKey, message.signature)) return;
  throw corrupt(
    `Cannot verify ${what}: the signature does not match the key of "${describeCertificate(signer).subject}"`,
  );
}

function requireSafeHash(certificate: X509Certificate): void {
  const { algorithm } = parseAsn(certificate.raw, Certificate, "certificate").signatureAlgorithm;
  if (!FORGEABLE_SIGNATURE_IDS.has(algorithm)) return;
  const { subject } = describeCertificate(certificate);
  throw new SealrootError(
    "unsupported",
    `Cannot trust the certificate "${subject}": it was issued with ${describeAlgorithm(algorithm)}`,
    { expected: "SHA-256, SHA-384 or SHA-512", actual: describeAlgorithm(algorithm) },
  );
}

/** Compares issuer and serial number; both sides go through the same encoder. */
function isNamedBy(certificateDer: Uint8Array, identifier: IssuerAndSerialNumber): boolean {
  const { tbsCertificate } = parseAsn(certificateDer, Certificate, "certificate");
  return (
    Buffer.from(tbsCertificate.serialNumber).equals(Buffer.from(identifier.serialNumber)) &&
    Buffer.from(encodeAsn(tbsCertificate.issuer)).equals(encodeAsn(identifier.issuer))
  );
}
