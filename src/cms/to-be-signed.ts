/**
 * Authenticode signed somewhere else: what must be signed, and the signature message made of what came back. Loads the
 * ASN.1 library.
 */
import { ContentInfo, EncapsulatedContent } from "@peculiar/asn1-cms";
import { corrupt, SealrootError } from "../errors/index.ts";
import { authenticodeContent, encodeAuthenticode } from "./authenticode.ts";
import { checkDer, derContent, OBJECT_IDENTIFIER_TAG, readDerElement } from "./der.ts";
import { signedAttributesFor } from "./encode.ts";
import { ID_SIGNED_DATA, ID_SPC_INDIRECT_DATA } from "./object-identifiers.ts";
import { bufferOf, encodeAsn, parseAsn, RawCertificates, RawSignedData } from "./schema.ts";

const WHAT = "detached signature";

/** What a signer that knows nothing of PE files has to sign. */
export interface AuthenticodeToSign {
  /** The bytes that an RSA signature covers: the signed attributes, a DER SET (RFC 5652 5.4). */
  readonly attributes: Uint8Array;
  /** The bytes that a CMS signature covers, content type SpcIndirectData: its DER without tag and length (RFC 5652 5.4). */
  readonly content: Uint8Array;
}

/** See the index's `authenticodeToSign`. */
export function encodeToSign(imageDigest: Uint8Array): AuthenticodeToSign {
  const content = authenticodeContent(imageDigest);
  return {
    attributes: encodeAsn(signedAttributesFor(ID_SPC_INDIRECT_DATA, content)),
    content: derContent(content, WHAT),
  };
}

/** See the index's `authenticodeOfRawSignature`. */
export function encodeOfRawSignature(
  imageDigest: Uint8Array,
  certificateDer: Uint8Array,
  signature: Uint8Array,
): Promise<Uint8Array> {
  return encodeAuthenticode(imageDigest, { certificateDer, sign: async () => signature });
}

/** See the index's `authenticodeOfMessage`. */
export function encodeOfMessage(
  der: Uint8Array,
  imageDigest: Uint8Array,
  certificateDer: Uint8Array | undefined,
): Uint8Array {
  const outer = checkDer(der, WHAT);
  const isContentInfo =
    outer.contentStart < outer.end && readDerElement(der, outer.contentStart, WHAT).tag === OBJECT_IDENTIFIER_TAG;
  const signedData = isContentInfo ? new Uint8Array(parseAsn(der, ContentInfo, WHAT).content) : der;
  const message = parseAsn(signedData, RawSignedData, WHAT);
  const { eContentType, eContent } = message.encapContentInfo;
  if (eContentType !== ID_SPC_INDIRECT_DATA) {
    throw new SealrootError("unsupported", `Cannot use the ${WHAT}: it is of content type ${eContentType}`, {
      expected: `${ID_SPC_INDIRECT_DATA} (SpcIndirectData)`,
      actual: eContentType,
      hint: `sign with openssl cms -sign -econtent_type ${ID_SPC_INDIRECT_DATA}`,
    });
  }
  // None, or in an OCTET STRING as CMS has it, where PKCS #7 has the structure itself.
  if (eContent?.any === undefined) {
    message.encapContentInfo.eContent = new EncapsulatedContent({ any: bufferOf(authenticodeContent(imageDigest)) });
  }
  // CMS says 3 for content that is not plain data (RFC 5652 5.1), Authenticode 1; no signature covers it.
  message.version = 1;
  if ((message.certificates?.length ?? 0) === 0) {
    if (certificateDer === undefined) {
      throw corrupt(`Cannot use the ${WHAT}: it does not contain its signer's certificate, and none is given`);
    }
    message.certificates = new RawCertificates([bufferOf(certificateDer)]);
  }
  return encodeAsn(new ContentInfo({ contentType: ID_SIGNED_DATA, content: bufferOf(encodeAsn(message)) }));
}
