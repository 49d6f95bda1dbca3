/** Who signs: a private key in this process, or anything outside that answers with a signature. */
import { createPublicKey, type KeyObject, sign, verify, type X509Certificate } from "node:crypto";
import { SealrootError } from "../errors/index.ts";
import { certificateOf, requireRsa } from "./certificate.ts";

/**
 * Makes RSA PKCS #1 v1.5 signatures with SHA-256 (RFC 8017 8.2) under one certificate. The private key may live in this
 * process, in a hardware module or on another machine.
 */
export interface Signer {
  readonly certificateDer: Uint8Array;
  /** @param toBeSigned the bytes to hash and sign, not their digest */
  sign(toBeSigned: Uint8Array): Promise<Uint8Array>;
}

/**
 * A signer from a private key held in this process.
 * @throws SealrootError `conflict` when the key does not belong to the certificate
 */
export function signerOfPrivateKey(privateKey: KeyObject, certificateDer: Uint8Array): Signer {
  const certificate = certificateOf(certificateDer);
  requireRsa(certificate);
  if (!createPublicKey(privateKey).equals(certificate.publicKey)) {
    throw new SealrootError(
      "conflict",
      `Cannot sign: the private key does not belong to the certificate "${certificate.subject.replaceAll("\n", ", ")}"`,
    );
  }
  return {
    certificateDer,
    sign: async (toBeSigned) => sign("sha256", toBeSigned, privateKey),
  };
}

/**
 * Asks the signer and checks its answer before it is written anywhere: an outside signer may have another key, sign
 * another digest or answer with text.
 * @throws SealrootError `conflict` when the answer is not this certificate's signature of the bytes
 */
export async function requestSignature(
  signer: Signer,
  certificate: X509Certificate,
  toBeSigned: Uint8Array,
): Promise<Uint8Array> {
  requireRsa(certificate);
  const signature = await signer.sign(toBeSigned);
  if (verify("sha256", toBeSigned, certificate.publicKey, signature)) return signature;
  throw new SealrootError(
    "conflict",
    `Cannot sign: the signer's answer of ${signature.length} bytes is not a signature by the certificate "${certificate.subject.replaceAll("\n", ", ")}"`,
    { hint: "the signer must answer with a raw RSA PKCS #1 v1.5 signature with SHA-256 by the certificate's key" },
  );
}
