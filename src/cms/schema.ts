/**
 * The ASN.1 structures that `@peculiar/asn1-cms` does not have: Authenticode's own, and SignedData with its
 * certificates kept as their original bytes. Loads the library; imported lazily by the index.
 */
import { Attribute, EncapsulatedContentInfo, SignerInfos } from "@peculiar/asn1-cms";
import { AsnArray, AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes, OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { corrupt, reasonOf } from "../errors/index.ts";

/** SET OF AlgorithmIdentifier (RFC 5652 5.1). */
export class AlgorithmIdentifiers extends AsnArray<AlgorithmIdentifier> {}
AsnType({ type: AsnTypeTypes.Set, itemType: AlgorithmIdentifier })(AlgorithmIdentifiers);

/** SET OF certificates, each as its own DER: parsing and re-encoding one could change its bytes. */
export class RawCertificates extends AsnArray<ArrayBuffer> {}
AsnType({ type: AsnTypeTypes.Set, itemType: AsnPropTypes.Any })(RawCertificates);

/** SET OF Attribute, the form in which signed attributes are hashed (RFC 5652 5.4). */
export class SignedAttributes extends AsnArray<Attribute> {}
AsnType({ type: AsnTypeTypes.Set, itemType: Attribute })(SignedAttributes);

/** A single OBJECT IDENTIFIER, as the value of the contentType attribute (RFC 5652 11.1). */
export class ObjectIdentifierValue {
  value: string;
  constructor(value = "") {
    this.value = value;
  }
}
AsnType({ type: AsnTypeTypes.Choice })(ObjectIdentifierValue);
AsnProp({ type: AsnPropTypes.ObjectIdentifier })(ObjectIdentifierValue.prototype, "value");

/** SignedData (RFC 5652 5.1); certificate revocation lists have no use in Secure Boot and are refused. */
export class RawSignedData {
  version = 1;
  digestAlgorithms = new AlgorithmIdentifiers();
  encapContentInfo = new EncapsulatedContentInfo();
  certificates?: RawCertificates;
  signerInfos = new SignerInfos();
}
AsnProp({ type: AsnPropTypes.Integer })(RawSignedData.prototype, "version");
AsnProp({ type: AlgorithmIdentifiers })(RawSignedData.prototype, "digestAlgorithms");
AsnProp({ type: EncapsulatedContentInfo })(RawSignedData.prototype, "encapContentInfo");
AsnProp({ type: RawCertificates, context: 0, implicit: true, optional: true })(RawSignedData.prototype, "certificates");
AsnProp({ type: SignerInfos })(RawSignedData.prototype, "signerInfos");

/** DigestInfo (Authenticode 1.0, "SpcIndirectDataContent"). */
export class DigestInfo {
  digestAlgorithm = new AlgorithmIdentifier();
  digest = new OctetString();
}
AsnProp({ type: AlgorithmIdentifier })(DigestInfo.prototype, "digestAlgorithm");
AsnProp({ type: OctetString })(DigestInfo.prototype, "digest");

/** SpcAttributeTypeAndOptionalValue (Authenticode 1.0). */
export class SpcAttributeTypeAndValue {
  type = "";
  value?: ArrayBuffer;
}
AsnProp({ type: AsnPropTypes.ObjectIdentifier })(SpcAttributeTypeAndValue.prototype, "type");
AsnProp({ type: AsnPropTypes.Any, optional: true })(SpcAttributeTypeAndValue.prototype, "value");

/** SpcIndirectDataContent (Authenticode 1.0): what kind of thing was hashed, and its digest. */
export class SpcIndirectDataContent {
  data = new SpcAttributeTypeAndValue();
  messageDigest = new DigestInfo();
}
AsnProp({ type: SpcAttributeTypeAndValue })(SpcIndirectDataContent.prototype, "data");
AsnProp({ type: DigestInfo })(SpcIndirectDataContent.prototype, "messageDigest");

/**
 * Reads one structure; every failure of the library becomes one error.
 * @throws SealrootError `corrupt`
 */
export function parseAsn<T>(der: Uint8Array, structure: new () => T, what: string): T {
  try {
    return AsnConvert.parse(der, structure);
  } catch (error) {
    const reason = reasonOf(error);
    throw corrupt(`Cannot parse ${what}: ${reason.split("\n")[0] ?? reason}`);
  }
}

/**
 * The DER of a structure.
 * @throws SealrootError `corrupt` for parts of a parsed one that the library took but cannot write
 */
export function encodeAsn(structure: unknown): Uint8Array {
  try {
    return new Uint8Array(AsnConvert.serialize(structure));
  } catch (error) {
    throw corrupt(`Cannot read an ASN.1 structure: ${reasonOf(error).split("\n")[0]}`);
  }
}

/** A copy in its own buffer, as the library's fields require. */
export function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
