/** X.509 certificates (RFC 5280): strict reading, description, and the path from a signer to a trusted one. */
import { createHash, X509Certificate } from "node:crypto";
import { corrupt, reasonOf, SealrootError } from "../errors/index.ts";
import { checkDer, readDerElement } from "./der.ts";
import type { DigestName } from "./object-identifiers.ts";

/** Certificates considered while looking for a path to a trusted one; a real message holds one to three. */
const CHAIN_CERTIFICATES_MAX = 16;

/**
 * Reads one certificate.
 * @param der exactly one certificate in DER
 * @throws SealrootError `corrupt`
 */
export function certificateOf(der: Uint8Array): X509Certificate {
  checkDer(der, "certificate");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot parse certificate: ${reasonOf(error)}`, {}, error);
  }
  // OpenSSL reads names and dates only when asked; an unreadable date comes out as an invalid one.
  for (const date of [certificate.validFromDate, certificate.validToDate]) {
    if (Number.isNaN(date.getTime())) throw corrupt("Cannot parse certificate: its validity is not a pair of dates");
  }
  return certificate;
}

/** What a person wants to know about a certificate. */
export interface CertificateSummary {
  /** Subject as one line, such as `CN=example db`. */
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprintSha256: string;
  readonly serialNumberHex: string;
  /** ISO 8601, seconds. */
  readonly validFrom: string;
  readonly validTo: string;
  readonly rsaBits: number | undefined;
}

export function describeCertificate(certificate: X509Certificate): CertificateSummary {
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    fingerprintSha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    serialNumberHex: certificate.serialNumber.toLowerCase(),
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    rsaBits: rsaBitsOf(certificate),
  };
}

/**
 * The digest of the part of a certificate that its issuer signed (RFC 5280 4.1.1.1, tbsCertificate), by which a
 * signature database can name a certificate (UEFI 2.10, 32.4.1, EFI_CERT_X509_SHA256).
 * @throws SealrootError `corrupt`
 */
export function signedPartDigest(certificateDer: Uint8Array, algorithm: DigestName): Uint8Array {
  const what = "certificate";
  const { contentStart } = readDerElement(certificateDer, 0, what);
  const { start, end } = readDerElement(certificateDer, contentStart, what);
  return createHash(algorithm).update(certificateDer.subarray(start, end)).digest();
}

/**
 * What a signature names its signer's certificate by: the DER of issuer and serial number, one after the other (RFC 5652, 10.2.4).
 * @throws SealrootError `corrupt`
 */
export function issuerAndSerial(certificateDer: Uint8Array): Uint8Array {
  const what = "certificate";
  const next = (at: number) => readDerElement(certificateDer, at, what);
  const fields = next(next(0).contentStart);
  // [0] is the version (RFC 5280, 4.1); certificates of version 1 leave it out.
  const first = next(fields.contentStart);
  const serial = first.tag === 0xa0 ? next(first.end) : first;
  const algorithm = next(serial.end);
  const issuer = next(algorithm.end);
  const parts = [issuer, serial].map(({ start, end }) => certificateDer.subarray(start, end));
  return Buffer.concat(parts);
}

/**
 * Finds the path from `signer` to a trusted certificate, through the certificates that came with the message.
 *
 * A trusted certificate ends the path whether or not it is self-signed, and validity dates are ignored: firmware has no
 * trusted clock, and edk2 verifies with X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME (CryptoPkg, Pkcs7Verify).
 * Issuers must be certificate authorities (RFC 5280 4.2.1.9).
 *
 * @returns the certificates from the signer to the trusted one, both included
 * @throws SealrootError `untrusted`
 */
export function findTrustedPath(
  signer: X509Certificate,
  companions: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): readonly X509Certificate[] {
  const reached: X509Certificate[][] = [[signer]];
  const seen = new Set([signer.fingerprint256]);
  for (let next = 0; next < reached.length && next < CHAIN_CERTIFICATES_MAX; next++) {
    const path = reached[next] ?? [];
    const last = path.at(-1) ?? signer;
    if (trusted.some((anchor) => anchor.fingerprint256 === last.fingerprint256)) return path;
    const anchor = trusted.find((candidate) => isIssuedBy(last, candidate));
    if (anchor !== undefined) return [...path, anchor];
    for (const issuer of companions) {
      if (seen.has(issuer.fingerprint256) || !isIssuedBy(last, issuer)) continue;
      seen.add(issuer.fingerprint256);
      reached.push([...path, issuer]);
    }
  }
  throw new SealrootError(
    "untrusted",
    `Cannot trust the signature: its certificate "${oneLine(signer.subject)}" is neither trusted nor issued by a trusted one`,
    {
      expected: trusted.map((anchor) => oneLine(anchor.subject)).join("; ") || "no trusted certificate given",
      actual: `${oneLine(signer.subject)} (SHA-256 ${describeCertificate(signer).fingerprintSha256})`,
      hint: "sign with the key of a certificate in db, or enrol the signer's certificate",
    },
  );
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  if (!issuer.ca || !certificate.checkIssued(issuer)) return false;
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    // OpenSSL throws instead of answering when the key cannot belong to the signature's algorithm.
    return false;
  }
}

/**
 * Refuses certificates whose keys firmware does not support: RSA of 2048 to 4096 bits is what UEFI implementations
 * have in common.
 * @throws SealrootError `unsupported`
 */
export function requireRsa(certificate: X509Certificate): void {
  const bits = rsaBitsOf(certificate);
  if (bits !== undefined && bits >= 2048 && bits <= 4096) return;
  const kind = certificate.publicKey.asymmetricKeyType ?? "unknown";
  throw new SealrootError(
    "unsupported",
    `Cannot use certificate "${oneLine(certificate.subject)}": its key is ${kind}${bits === undefined ? "" : ` ${bits}`}, Secure Boot needs RSA 2048 to 4096`,
    { expected: "RSA 2048 to 4096", actual: `${kind} ${bits ?? ""}`.trim() },
  );
}

function rsaBitsOf(certificate: X509Certificate): number | undefined {
  try {
    const key = certificate.publicKey;
    return key.asymmetricKeyType === "rsa" ? key.asymmetricKeyDetails?.modulusLength : undefined;
  } catch (error) {
    throw corrupt(`Cannot parse the public key of certificate "${oneLine(certificate.subject)}": ${reasonOf(error)}`);
  }
}

/** Node prints one attribute per line, and undefined (contrary to its type) for an empty name. */
function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}
