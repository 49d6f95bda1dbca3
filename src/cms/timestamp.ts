/** RFC 3161 time stamps: asked for a signature, checked, and put beside it as Authenticode has them. Loads the ASN.1 library. */
import { createHash, verify, type X509Certificate } from "node:crypto";
import { Attribute, ContentInfo, type SignerInfo } from "@peculiar/asn1-cms";
import {
  AsnArray,
  AsnGeneralizedTimeConverter,
  AsnIntegerArrayBufferConverter,
  AsnProp,
  AsnPropTypes,
  AsnType,
  AsnTypeTypes,
  OctetString,
} from "@peculiar/asn1-schema";
import { AlgorithmIdentifier, Certificate } from "@peculiar/asn1-x509";
import { corrupt, SealrootError } from "../errors/index.ts";
import { certificateOf } from "./certificate.ts";
import {
  DIGEST_OF_ID,
  ID_MESSAGE_DIGEST,
  ID_SHA256,
  ID_SPC_RFC3161,
  ID_TIME_STAMPING,
  ID_TST_INFO,
} from "./object-identifiers.ts";
import { bufferOf, DigestInfo, encodeAsn, parseAsn, RawSignedData, SignedAttributes } from "./schema.ts";

const WHAT = "time stamp";

/** TimeStampReq (RFC 3161 2.4.1). MessageImprint has the shape of DigestInfo. */
class TimeStampRequest {
  version = 1;
  messageImprint = new DigestInfo();
  nonce?: ArrayBuffer;
  certReq = false;
}
AsnProp({ type: AsnPropTypes.Integer })(TimeStampRequest.prototype, "version");
AsnProp({ type: DigestInfo })(TimeStampRequest.prototype, "messageImprint");
AsnProp({ type: AsnPropTypes.Integer, optional: true, converter: AsnIntegerArrayBufferConverter })(
  TimeStampRequest.prototype,
  "nonce",
);
AsnProp({ type: AsnPropTypes.Boolean, defaultValue: false })(TimeStampRequest.prototype, "certReq");

class StatusTexts extends AsnArray<string> {}
AsnType({ type: AsnTypeTypes.Sequence, itemType: AsnPropTypes.Utf8String })(StatusTexts);

/** PKIStatusInfo (RFC 3161 2.4.2). */
class StatusInfo {
  status = 0;
  statusString?: StatusTexts;
  failInfo?: ArrayBuffer;
}
AsnProp({ type: AsnPropTypes.Integer })(StatusInfo.prototype, "status");
AsnProp({ type: StatusTexts, optional: true })(StatusInfo.prototype, "statusString");
AsnProp({ type: AsnPropTypes.BitString, optional: true })(StatusInfo.prototype, "failInfo");

class TimeStampResponse {
  status = new StatusInfo();
  timeStampToken?: ArrayBuffer;
}
AsnProp({ type: StatusInfo })(TimeStampResponse.prototype, "status");
AsnProp({ type: AsnPropTypes.Any, optional: true })(TimeStampResponse.prototype, "timeStampToken");

class Accuracy {
  seconds?: number;
  millis?: number;
  micros?: number;
}
AsnProp({ type: AsnPropTypes.Integer, optional: true })(Accuracy.prototype, "seconds");
AsnProp({ type: AsnPropTypes.Integer, optional: true, context: 0, implicit: true })(Accuracy.prototype, "millis");
AsnProp({ type: AsnPropTypes.Integer, optional: true, context: 1, implicit: true })(Accuracy.prototype, "micros");

/** TSTInfo (RFC 3161 2.4.2), as far as the nonce and past it. */
class TimeStampInfo {
  version = 1;
  policy = "";
  messageImprint = new DigestInfo();
  serialNumber = new ArrayBuffer(0);
  genTime = new Date(0);
  accuracy?: Accuracy;
  ordering = false;
  nonce?: ArrayBuffer;
  tsa?: ArrayBuffer;
  extensions?: ArrayBuffer;
}
AsnProp({ type: AsnPropTypes.Integer })(TimeStampInfo.prototype, "version");
AsnProp({ type: AsnPropTypes.ObjectIdentifier })(TimeStampInfo.prototype, "policy");
AsnProp({ type: DigestInfo })(TimeStampInfo.prototype, "messageImprint");
AsnProp({ type: AsnPropTypes.Integer, converter: AsnIntegerArrayBufferConverter })(
  TimeStampInfo.prototype,
  "serialNumber",
);
AsnProp({ type: AsnPropTypes.GeneralizedTime, converter: AsnGeneralizedTimeConverter })(
  TimeStampInfo.prototype,
  "genTime",
);
AsnProp({ type: Accuracy, optional: true })(TimeStampInfo.prototype, "accuracy");
AsnProp({ type: AsnPropTypes.Boolean, defaultValue: false })(TimeStampInfo.prototype, "ordering");
AsnProp({ type: AsnPropTypes.Integer, optional: true, converter: AsnIntegerArrayBufferConverter })(
  TimeStampInfo.prototype,
  "nonce",
);
AsnProp({ type: AsnPropTypes.Any, optional: true, context: 0 })(TimeStampInfo.prototype, "tsa");
AsnProp({ type: AsnPropTypes.Any, optional: true, context: 1, implicit: true })(TimeStampInfo.prototype, "extensions");

/** granted, grantedWithMods. */
const GRANTED = [0, 1];

/** See the index's `timestampRequest`. */
export function encodeTimestampRequest(contentInfo: Uint8Array, nonce: Uint8Array): Uint8Array {
  const request = new TimeStampRequest();
  request.messageImprint.digestAlgorithm = new AlgorithmIdentifier({ algorithm: ID_SHA256, parameters: null });
  request.messageImprint.digest = new OctetString(bufferOf(imprintOf(signedDataOf(contentInfo))));
  request.nonce = bufferOf(nonce);
  request.certReq = true;
  return encodeAsn(request);
}

/** See the index's `withTimestamp`. */
export function attachTimestamp(
  contentInfo: Uint8Array,
  responseDer: Uint8Array,
  nonce: Uint8Array,
): { readonly contentInfo: Uint8Array; readonly time: Date } {
  const { status, timeStampToken } = parseAsn(responseDer, TimeStampResponse, WHAT);
  if (!GRANTED.includes(status.status) || timeStampToken === undefined) {
    const reason = [...(status.statusString ?? [])].join(" ") || `status ${status.status}`;
    throw new SealrootError("failed", `Cannot use the ${WHAT}: the service refused: ${reason}`);
  }
  const message = signedDataOf(contentInfo);
  const token = new Uint8Array(timeStampToken);
  const info = verifiedInfo(token);
  requireSame(info.messageImprint.digest, imprintOf(message), "it is for another signature");
  if (info.messageImprint.digestAlgorithm.algorithm !== ID_SHA256) {
    throw corrupt(`Cannot use the ${WHAT}: digest algorithm ${info.messageImprint.digestAlgorithm.algorithm}`);
  }
  requireSame(info.nonce ?? new ArrayBuffer(0), nonce, "it answers another request");
  const signer = onlySigner(message);
  signer.unsignedAttrs = [new Attribute({ attrType: ID_SPC_RFC3161, attrValues: [bufferOf(token)] })];
  const outer = parseAsn(contentInfo, ContentInfo, WHAT);
  return {
    contentInfo: encodeAsn(new ContentInfo({ contentType: outer.contentType, content: bufferOf(encodeAsn(message)) })),
    time: info.genTime,
  };
}

function signedDataOf(contentInfo: Uint8Array): RawSignedData {
  return parseAsn(new Uint8Array(parseAsn(contentInfo, ContentInfo, WHAT).content), RawSignedData, WHAT);
}

function onlySigner({ signerInfos }: RawSignedData): SignerInfo {
  const [signer, ...others] = signerInfos;
  if (signer !== undefined && others.length === 0) return signer;
  throw corrupt(`Cannot use the ${WHAT}: ${signerInfos.length} signers, exactly one wanted`);
}

/** Authenticode stamps the signature, which stands for all that it covers. */
function imprintOf(message: RawSignedData): Uint8Array {
  return createHash("sha256")
    .update(bytesOf(onlySigner(message).signature))
    .digest();
}

/** The statement of a token that its own certificate signed, one for time stamping. Who issued that is not judged here. */
function verifiedInfo(token: Uint8Array): TimeStampInfo {
  const message = signedDataOf(token);
  const { eContentType, eContent } = message.encapContentInfo;
  if (eContentType !== ID_TST_INFO || eContent?.single === undefined) {
    throw corrupt(`Cannot use the ${WHAT}: content type ${eContentType}`, { expected: ID_TST_INFO });
  }
  const content = bytesOf(eContent.single);
  const signer = onlySigner(message);
  const digestName = DIGEST_OF_ID.get(signer.digestAlgorithm.algorithm);
  const attributes = signer.signedAttrs ?? [];
  const stated = attributes.find(({ attrType }) => attrType === ID_MESSAGE_DIGEST)?.attrValues[0];
  const certificate = certificateOfSigner(message, signer);
  if (digestName === undefined || stated === undefined || certificate === undefined) {
    throw corrupt(`Cannot use the ${WHAT}: its signature cannot be checked`);
  }
  requireSame(
    bytesOf(parseAsn(new Uint8Array(stated), OctetString, WHAT)),
    createHash(digestName).update(content).digest(),
    "its content is not the one that was signed",
  );
  const signedBytes = encodeAsn(new SignedAttributes([...attributes]));
  if (!isSignedBy(certificate, digestName, signedBytes, bytesOf(signer.signature))) {
    throw corrupt(`Cannot use the ${WHAT}: its signature does not match its certificate`);
  }
  // Extended key usages, as Node names them.
  if (certificate.keyUsage?.includes(ID_TIME_STAMPING) !== true) {
    throw corrupt(`Cannot use the ${WHAT}: its certificate is not one for time stamping`);
  }
  return parseAsn(content, TimeStampInfo, WHAT);
}

/** OpenSSL throws instead of answering when the key cannot belong to the signature's algorithm. */
function isSignedBy(
  certificate: X509Certificate,
  digestName: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(digestName, bytes, certificate.publicKey, signature);
  } catch {
    return false;
  }
}

function certificateOfSigner(message: RawSignedData, signer: SignerInfo): X509Certificate | undefined {
  const name = signer.sid.issuerAndSerialNumber;
  if (name === undefined) return undefined;
  const found = [...(message.certificates ?? [])].find((der) => {
    const { tbsCertificate } = parseAsn(new Uint8Array(der), Certificate, "certificate");
    return (
      Buffer.from(tbsCertificate.serialNumber).equals(Buffer.from(name.serialNumber)) &&
      Buffer.from(encodeAsn(tbsCertificate.issuer)).equals(encodeAsn(name.issuer))
    );
  });
  return found === undefined ? undefined : certificateOf(new Uint8Array(found));
}

function requireSame(actual: ArrayBufferView | ArrayBuffer, expected: Uint8Array, reason: string): void {
  const bytes = actual instanceof ArrayBuffer ? new Uint8Array(actual) : bytesOf(actual);
  // A nonce may come back with a leading zero that makes it positive.
  const plain = Buffer.from(bytes).subarray(bytes.length > expected.length ? bytes.length - expected.length : 0);
  if (plain.equals(expected)) return;
  throw corrupt(`Cannot use the ${WHAT}: ${reason}`);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
