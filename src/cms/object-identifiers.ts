/** Object identifiers of the algorithms, content types and attributes in use, each with the document that assigns it. */

/** RFC 5652 4 and 5.1. */
export const ID_DATA = "1.2.840.113549.1.7.1";
export const ID_SIGNED_DATA = "1.2.840.113549.1.7.2";

/** RFC 5652 11.1 and 11.2. */
export const ID_CONTENT_TYPE = "1.2.840.113549.1.9.3";
export const ID_MESSAGE_DIGEST = "1.2.840.113549.1.9.4";

/** RFC 8017 A.1 and A.2.4. */
export const ID_RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const ID_SHA256_WITH_RSA = "1.2.840.113549.1.1.11";
const ID_SHA384_WITH_RSA = "1.2.840.113549.1.1.12";
const ID_SHA512_WITH_RSA = "1.2.840.113549.1.1.13";

/** Windows Authenticode Portable Executable Signature Format 1.0: SPC_INDIRECT_DATA_OBJID, SPC_PE_IMAGE_DATAOBJ. */
export const ID_SPC_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4";
export const ID_SPC_PE_IMAGE_DATA = "1.3.6.1.4.1.311.2.1.15";

/** RFC 3161 2.4.2 and 2.3; Authenticode's attribute for a time stamp (SPC_RFC3161_OBJID). */
export const ID_TST_INFO = "1.2.840.113549.1.9.16.1.4";
export const ID_TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
export const ID_SPC_RFC3161 = "1.3.6.1.4.1.311.3.3.1";

/** RFC 5754 2. */
export const ID_SHA256 = "2.16.840.1.101.3.4.2.1";
const ID_SHA384 = "2.16.840.1.101.3.4.2.2";
const ID_SHA512 = "2.16.840.1.101.3.4.2.3";

/**
 * Digest algorithms by the names `node:crypto` knows. SHA-1 is left out on purpose: it no longer vouches for anything.
 */
export type DigestName = "sha256" | "sha384" | "sha512";

/** The digest algorithm an identifier names; undefined if not accepted. */
export const DIGEST_OF_ID: ReadonlyMap<string, DigestName> = new Map([
  [ID_SHA256, "sha256"],
  [ID_SHA384, "sha384"],
  [ID_SHA512, "sha512"],
]);

/** Digest lengths in bytes (FIPS 180-4). */
export const DIGEST_BYTES: Readonly<Record<DigestName, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/**
 * The signature algorithms accepted beside each digest: RSA PKCS #1 v1.5, named alone (as PKCS #7 1.5 does) or together
 * with the digest. It is the one family common to the Authenticode verifiers of UEFI firmware.
 */
export const RSA_SIGNATURE_IDS: Readonly<Record<DigestName, readonly string[]>> = {
  sha256: [ID_RSA_ENCRYPTION, ID_SHA256_WITH_RSA],
  sha384: [ID_RSA_ENCRYPTION, ID_SHA384_WITH_RSA],
  sha512: [ID_RSA_ENCRYPTION, ID_SHA512_WITH_RSA],
};

/** Names of algorithms that are not accepted, for messages (RFC 3279, RFC 5758, RFC 8410; RFC 8017 A.2.3). */
const NAME_OF_ID: ReadonlyMap<string, string> = new Map([
  ["1.2.840.113549.2.5", "MD5"],
  ["1.3.14.3.2.26", "SHA-1"],
  [ID_RSA_ENCRYPTION, "RSA"],
  ["1.2.840.113549.1.1.4", "RSA with MD5"],
  ["1.2.840.113549.1.1.5", "RSA with SHA-1"],
  ["1.2.840.113549.1.1.10", "RSA-PSS"],
  ["1.2.840.10045.2.1", "EC"],
  ["1.2.840.10045.4.1", "EC with SHA-1"],
  ["1.2.840.10045.4.3.2", "EC with SHA-256"],
  ["1.2.840.10045.4.3.3", "EC with SHA-384"],
  ["1.2.840.10045.4.3.4", "EC with SHA-512"],
  ["1.3.101.112", "Ed25519"],
]);

/** The signature algorithms with a forgeable hash; a certificate issued with one proves nothing. */
export const FORGEABLE_SIGNATURE_IDS: ReadonlySet<string> = new Set([
  "1.2.840.113549.1.1.4",
  "1.2.840.113549.1.1.5",
  "1.2.840.10045.4.1",
]);

/** An identifier with the name of the algorithm, if known. */
export function describeAlgorithm(identifier: string): string {
  const name = NAME_OF_ID.get(identifier);
  return name === undefined ? identifier : `${identifier} (${name})`;
}
