/**
 * Authenticode: SpcIndirectDataContent inside SignedData (Windows Authenticode Portable Executable Signature Format 1.0;
 * spec/boot-chain.md C). Loads the ASN.1 library.
 */
import { ContentInfo } from "@peculiar/asn1-cms";
import { OctetString } from "@peculiar/asn1-schema";
import { AlgorithmIdentifier } from "@peculiar/asn1-x509";
import { fromHex, toHex } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type DecodedSignedData, decodeSignedData } from "./decode.ts";
import { derContent } from "./der.ts";
import { encodeSignedData } from "./encode.ts";
import {
  DIGEST_BYTES,
  DIGEST_OF_ID,
  type DigestName,
  describeAlgorithm,
  ID_SHA256,
  ID_SIGNED_DATA,
  ID_SPC_INDIRECT_DATA,
  ID_SPC_PE_IMAGE_DATA,
} from "./object-identifiers.ts";
import {
  bufferOf,
  DigestInfo,
  encodeAsn,
  parseAsn,
  SpcAttributeTypeAndValue,
  SpcIndirectDataContent,
} from "./schema.ts";
import type { Signer } from "./signer.ts";
import { type VerifiedSignature, verifySignedData } from "./verify.ts";

const WHAT = "Authenticode signature";

/** The digest an Authenticode signature claims for its image, and the certificates it carries. */
export interface AuthenticodeClaim {
  readonly digestAlgorithm: DigestName;
  readonly imageDigest: Uint8Array;
  readonly certificates: readonly Uint8Array[];
}

/**
 * SpcPeImageData, always the same: SEQUENCE { flags BIT STRING (no bits), file [0] { [2] { [0] "<<<Obsolete>>>" } } },
 * the text in UTF-16BE. Authenticode 1.0 requires exactly this text.
 */
const SPC_PE_IMAGE_DATA_DER = fromHex(
  `3025030100a020a21e801c${Buffer.from("<<<Obsolete>>>", "utf16le").swap16().toString("hex")}`,
);

/** The DER of SpcIndirectDataContent for an image. @throws SealrootError `usage` for anything but SHA-256 */
export function authenticodeContent(imageDigest: Uint8Array): Uint8Array {
  if (imageDigest.length !== DIGEST_BYTES.sha256) {
    throw new SealrootError("usage", `Cannot sign an image digest of ${imageDigest.length} bytes: SHA-256 has 32`);
  }
  const content = new SpcIndirectDataContent();
  content.data = new SpcAttributeTypeAndValue();
  content.data.type = ID_SPC_PE_IMAGE_DATA;
  content.data.value = bufferOf(SPC_PE_IMAGE_DATA_DER);
  content.messageDigest = new DigestInfo();
  content.messageDigest.digestAlgorithm = new AlgorithmIdentifier({ algorithm: ID_SHA256, parameters: null });
  content.messageDigest.digest = new OctetString(bufferOf(imageDigest));
  return encodeAsn(content);
}

/** See the index's `signAuthenticode`. */
export async function encodeAuthenticode(imageDigest: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const contentDer = authenticodeContent(imageDigest);
  const signedData = await encodeSignedData(
    { kind: "embedded", contentType: ID_SPC_INDIRECT_DATA, contentDer },
    signer,
  );
  return encodeAsn(new ContentInfo({ contentType: ID_SIGNED_DATA, content: bufferOf(signedData) }));
}

/** See the index's `readAuthenticode`. */
export function decodeAuthenticode(contentInfo: Uint8Array): AuthenticodeClaim {
  return claimOf(decodeSignedData(contentInfo, WHAT)).claim;
}

/** See the index's `verifyAuthenticode`. */
export function verifyAuthenticode(
  contentInfo: Uint8Array,
  imageDigest: (algorithm: DigestName) => Uint8Array,
  trustedCertificates: readonly Uint8Array[],
): VerifiedSignature {
  const message = decodeSignedData(contentInfo, WHAT);
  const { claim, content } = claimOf(message);
  const expected = toHex(claim.imageDigest);
  const actual = toHex(imageDigest(claim.digestAlgorithm));
  if (expected !== actual) {
    throw corrupt("Cannot verify the image: its digest is not the one that was signed", { expected, actual });
  }
  return verifySignedData(message, content, trustedCertificates, WHAT);
}

function claimOf(message: DecodedSignedData): { claim: AuthenticodeClaim; content: Uint8Array } {
  if (message.contentType !== ID_SPC_INDIRECT_DATA || message.contentDer === undefined) {
    throw corrupt(`Cannot parse ${WHAT}: content type ${message.contentType}, SpcIndirectDataContent wanted`, {
      expected: ID_SPC_INDIRECT_DATA,
      actual: message.contentType,
    });
  }
  // Without signed attributes the signature would not be Authenticode, and firmware varies in how it treats that.
  if (message.messageDigest === undefined) throw corrupt(`Cannot parse ${WHAT}: no signed attributes`);
  const { messageDigest } = parseAsn(message.contentDer, SpcIndirectDataContent, WHAT);
  const algorithmId = messageDigest.digestAlgorithm.algorithm;
  const digestAlgorithm = DIGEST_OF_ID.get(algorithmId);
  if (digestAlgorithm === undefined) {
    const actual = describeAlgorithm(algorithmId);
    throw new SealrootError("unsupported", `Cannot verify ${WHAT}: image digest algorithm ${actual}`, {
      expected: "SHA-256, SHA-384 or SHA-512",
      actual,
    });
  }
  const { digest } = messageDigest;
  const imageDigest = new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength);
  if (imageDigest.length !== DIGEST_BYTES[digestAlgorithm]) {
    throw corrupt(`Cannot parse ${WHAT}: ${digestAlgorithm} digest of ${imageDigest.length} bytes`);
  }
  return {
    claim: { digestAlgorithm, imageDigest, certificates: message.certificates },
    content: derContent(message.contentDer, WHAT),
  };
}
