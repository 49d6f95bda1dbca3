/** Reads SignedData (RFC 5652 5) into plain values. Loads the ASN.1 library. */
import { ContentInfo, type IssuerAndSerialNumber, type SignerInfo } from "@peculiar/asn1-cms";
import { OctetString } from "@peculiar/asn1-schema";
import { corrupt, SealrootError } from "../errors/index.ts";
import { checkDer, OBJECT_IDENTIFIER_TAG, readDerElement } from "./der.ts";
import {
  DIGEST_OF_ID,
  type DigestName,
  describeAlgorithm,
  ID_CONTENT_TYPE,
  ID_MESSAGE_DIGEST,
  ID_SIGNED_DATA,
  RSA_SIGNATURE_IDS,
} from "./object-identifiers.ts";
import { encodeAsn, ObjectIdentifierValue, parseAsn, RawSignedData, SignedAttributes } from "./schema.ts";

/** Largest message read; a signature with a chain of certificates takes about 6 KiB. */
const SIGNED_DATA_BYTES_MAX = 1 << 20;

/** A parsed SignedData with one signer; nothing in it has been verified. */
export interface DecodedSignedData {
  readonly contentType: string;
  /** The embedded content as DER; undefined in a detached signature. */
  readonly contentDer: Uint8Array | undefined;
  /** DER of each certificate in the message. */
  readonly certificates: readonly Uint8Array[];
  readonly digestAlgorithm: DigestName;
  /** Names the signer's certificate. */
  readonly signerIdentifier: IssuerAndSerialNumber;
  /** The digest the signed attributes give for the content; undefined if there are no signed attributes. */
  readonly messageDigest: Uint8Array | undefined;
  /** The signed attributes as they were hashed (RFC 5652 5.4); undefined if the content itself is signed. */
  readonly signedAttributesDer: Uint8Array | undefined;
  readonly signature: Uint8Array;
}

/**
 * Parses a SignedData, bare (as in an authenticated variable) or inside a ContentInfo.
 *
 * Exactly one signer is accepted, as Authenticode demands and every Secure Boot tool writes.
 * @throws SealrootError `corrupt`, or `unsupported` for an algorithm or kind of signer that is not accepted
 */
export function decodeSignedData(der: Uint8Array, what: string): DecodedSignedData {
  if (der.length > SIGNED_DATA_BYTES_MAX) {
    throw new SealrootError(
      "unsupported",
      `Cannot parse ${what}: ${der.length} bytes, at most ${SIGNED_DATA_BYTES_MAX} accepted`,
    );
  }
  const outer = checkDer(der, what);
  const isContentInfo =
    outer.contentStart < outer.end && readDerElement(der, outer.contentStart, what).tag === OBJECT_IDENTIFIER_TAG;
  const message = parseAsn(isContentInfo ? signedDataOf(der, what) : der, RawSignedData, what);
  const [signerInfo, ...others] = message.signerInfos;
  if (signerInfo === undefined || others.length > 0) {
    throw corrupt(`Cannot parse ${what}: ${message.signerInfos.length} signers, exactly one wanted`);
  }
  const digestAlgorithm = digestAlgorithmOf(signerInfo, what);
  checkUnsignedFields(message, signerInfo, what);
  const content = message.encapContentInfo.eContent;
  const attributes = signerInfo.signedAttrs ?? [];
  const contentType = message.encapContentInfo.eContentType;
  return {
    contentType,
    contentDer: content?.any === undefined ? singleContent(content?.single) : new Uint8Array(content.any),
    certificates: [...(message.certificates ?? [])].map((certificate) => new Uint8Array(certificate)),
    digestAlgorithm,
    signerIdentifier: signerIdentifierOf(signerInfo, what),
    messageDigest: attributes.length === 0 ? undefined : messageDigestOf(attributes, contentType, what),
    signedAttributesDer: attributes.length === 0 ? undefined : encodeAsn(new SignedAttributes([...attributes])),
    signature: bytesOfOctets(signerInfo.signature),
  };
}

function signedDataOf(contentInfo: Uint8Array, what: string): Uint8Array {
  const { contentType, content } = parseAsn(contentInfo, ContentInfo, what);
  if (contentType !== ID_SIGNED_DATA) {
    throw corrupt(`Cannot parse ${what}: content type ${contentType}, signedData (${ID_SIGNED_DATA}) wanted`, {
      expected: ID_SIGNED_DATA,
      actual: contentType,
    });
  }
  return new Uint8Array(content);
}

function digestAlgorithmOf(signerInfo: SignerInfo, what: string): DigestName {
  const digestId = signerInfo.digestAlgorithm.algorithm;
  const signatureId = signerInfo.signatureAlgorithm.algorithm;
  const digest = DIGEST_OF_ID.get(digestId);
  if (digest === undefined || !RSA_SIGNATURE_IDS[digest].includes(signatureId)) {
    const actual = `${describeAlgorithm(signatureId)} with digest ${describeAlgorithm(digestId)}`;
    throw new SealrootError("unsupported", `Cannot verify ${what}: signature algorithm ${actual}`, {
      expected: "RSA PKCS #1 v1.5 with SHA-256, SHA-384 or SHA-512",
      actual,
    });
  }
  return digest;
}

/**
 * Fields that no signature covers may have only one value: version 1, no algorithm parameters, and the signer's digest
 * algorithm announced (RFC 5652 5.1; edk2's AuthService looks for it at a fixed place).
 */
function checkUnsignedFields(message: RawSignedData, signerInfo: SignerInfo, what: string): void {
  if (message.version !== 1 || signerInfo.version !== 1) {
    throw new SealrootError(
      "unsupported",
      `Cannot verify ${what}: version ${message.version} with signer version ${signerInfo.version}, 1 wanted`,
    );
  }
  const announced = [...message.digestAlgorithms].map(({ algorithm }) => algorithm);
  if (announced.length !== 1 || announced[0] !== signerInfo.digestAlgorithm.algorithm) {
    throw corrupt(`Cannot parse ${what}: digest algorithms ${announced.join(", ")} do not match the signer's`, {
      expected: signerInfo.digestAlgorithm.algorithm,
      actual: announced.join(", "),
    });
  }
  for (const algorithm of [...message.digestAlgorithms, signerInfo.digestAlgorithm, signerInfo.signatureAlgorithm]) {
    if (algorithm.parameters === null || algorithm.parameters === undefined) continue;
    throw corrupt(`Cannot parse ${what}: unexpected parameters of algorithm ${algorithm.algorithm}`);
  }
}

function signerIdentifierOf(signerInfo: SignerInfo, what: string): IssuerAndSerialNumber {
  const identifier = signerInfo.sid.issuerAndSerialNumber;
  if (identifier !== undefined) return identifier;
  throw new SealrootError("unsupported", `Cannot verify ${what}: the signer is not named by issuer and serial number`);
}

/** The messageDigest attribute; the contentType attribute must agree with the content (RFC 5652 11.1). */
function messageDigestOf(
  attributes: SignerInfo["signedAttrs"] & object,
  contentType: string,
  what: string,
): Uint8Array {
  const statedType = parseAsn(singleValue(ID_CONTENT_TYPE), ObjectIdentifierValue, what).value;
  if (statedType !== contentType) {
    throw corrupt(`Cannot parse ${what}: signed content type ${statedType}, content is ${contentType}`, {
      expected: contentType,
      actual: statedType,
    });
  }
  return bytesOfOctets(parseAsn(singleValue(ID_MESSAGE_DIGEST), OctetString, what));

  function singleValue(attributeId: string): Uint8Array {
    const found = attributes.filter((attribute) => attribute.attrType === attributeId);
    const values = found.flatMap((attribute) => attribute.attrValues);
    const [value] = values;
    if (found.length === 1 && values.length === 1 && value !== undefined && value !== null)
      return new Uint8Array(value);
    throw corrupt(
      `Cannot parse ${what}: ${values.length} values of signed attribute ${attributeId}, exactly one wanted`,
    );
  }
}

function singleContent(content: OctetString | undefined): Uint8Array | undefined {
  return content === undefined ? undefined : encodeAsn(content);
}

function bytesOfOctets(octets: OctetString): Uint8Array {
  return new Uint8Array(octets.buffer, octets.byteOffset, octets.byteLength);
}
