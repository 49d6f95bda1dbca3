/** Builds SignedData with one signer (RFC 5652 5; PKCS #7 1.5 as UEFI firmware reads it). Loads the ASN.1 library. */
import { createHash } from "node:crypto";
import {
  Attribute,
  CMSVersion,
  EncapsulatedContent,
  EncapsulatedContentInfo,
  IssuerAndSerialNumber,
  SignerIdentifier,
  SignerInfo,
  SignerInfos,
} from "@peculiar/asn1-cms";
import { OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509";
import { certificateOf } from "./certificate.ts";
import { derContent } from "./der.ts";
import { ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_RSA_ENCRYPTION, ID_SHA256 } from "./object-identifiers.ts";
import {
  AlgorithmIdentifiers,
  bufferOf,
  encodeAsn,
  ObjectIdentifierValue,
  parseAsn,
  RawCertificates,
  RawSignedData,
  SignedAttributes,
} from "./schema.ts";
import { requestSignature, type Signer } from "./signer.ts";

/** What is to be signed, and how much of it the message carries. */
export type SignedContent =
  /** The message carries `contentDer` and signs attributes with its digest (RFC 5652 5.4). */
  | { readonly kind: "embedded"; readonly contentType: string; readonly contentDer: Uint8Array }
  /** The message carries nothing and signs `content` itself, without attributes. */
  | { readonly kind: "detached"; readonly contentType: string; readonly content: Uint8Array };

/**
 * The DER of a version 1 SignedData: SHA-256, one RSA PKCS #1 v1.5 signature, the signer's certificate inside.
 * @throws SealrootError `conflict` or `unsupported`, see {@link requestSignature}
 */
export async function encodeSignedData(content: SignedContent, signer: Signer): Promise<Uint8Array> {
  const certificate = certificateOf(signer.certificateDer);
  const signerInfo = new SignerInfo({
    version: CMSVersion.v1,
    sid: signerIdentifierOf(signer.certificateDer),
    digestAlgorithm: algorithm(ID_SHA256),
    signatureAlgorithm: algorithm(ID_RSA_ENCRYPTION),
  });
  let toBeSigned: Uint8Array;
  if (content.kind === "embedded") {
    const attributes = signedAttributesFor(content.contentType, content.contentDer);
    signerInfo.signedAttrs = [...attributes];
    toBeSigned = encodeAsn(attributes);
  } else {
    toBeSigned = content.content;
  }
  signerInfo.signature = new OctetString(bufferOf(await requestSignature(signer, certificate, toBeSigned)));

  const message = new RawSignedData();
  message.version = CMSVersion.v1;
  message.digestAlgorithms = new AlgorithmIdentifiers([algorithm(ID_SHA256)]);
  message.encapContentInfo = new EncapsulatedContentInfo({
    eContentType: content.contentType,
    ...(content.kind === "embedded"
      ? { eContent: new EncapsulatedContent({ any: bufferOf(content.contentDer) }) }
      : {}),
  });
  message.certificates = new RawCertificates([bufferOf(signer.certificateDer)]);
  message.signerInfos = new SignerInfos([signerInfo]);
  return encodeAsn(message);
}

/**
 * The two attributes RFC 5652 5.3 demands, in the order DER gives a SET OF (X.690 11.6): contentType encodes shorter.
 * Under PKCS #7 the digest covers the content's own bytes, without its tag and length (RFC 5652 5.4).
 */
export function signedAttributesFor(contentType: string, contentDer: Uint8Array): SignedAttributes {
  const digest = createHash("sha256").update(derContent(contentDer, "signed content")).digest();
  return new SignedAttributes([
    new Attribute({
      attrType: ID_CONTENT_TYPE,
      attrValues: [bufferOf(encodeAsn(new ObjectIdentifierValue(contentType)))],
    }),
    new Attribute({
      attrType: ID_MESSAGE_DIGEST,
      attrValues: [bufferOf(encodeAsn(new OctetString(bufferOf(digest))))],
    }),
  ]);
}

function signerIdentifierOf(certificateDer: Uint8Array): SignerIdentifier {
  const { tbsCertificate } = parseAsn(certificateDer, Certificate, "certificate");
  return new SignerIdentifier({
    issuerAndSerialNumber: new IssuerAndSerialNumber({
      issuer: tbsCertificate.issuer,
      serialNumber: tbsCertificate.serialNumber,
    }),
  });
}

/** With NULL parameters, as PKCS #7 implementations write SHA-256 and as RFC 8017 A.1 demands of rsaEncryption. */
function algorithm(identifier: string): AlgorithmIdentifier {
  return new AlgorithmIdentifier({ algorithm: identifier, parameters: null });
}
