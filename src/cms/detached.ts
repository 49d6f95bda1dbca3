/** SignedData over bytes kept elsewhere, as before an authenticated EFI variable (UEFI 2.10, 8.2.2). */
import { corrupt } from "../errors/index.ts";
import { decodeSignedData } from "./decode.ts";
import { encodeSignedData } from "./encode.ts";
import { ID_DATA } from "./object-identifiers.ts";
import type { Signer } from "./signer.ts";
import { type VerifiedSignature, verifySignedData } from "./verify.ts";

const WHAT = "detached signature";

/** See the index's `signDetached`. */
export async function encodeDetached(content: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return encodeSignedData({ kind: "detached", contentType: ID_DATA, content }, signer);
}

/** See the index's `verifyDetached`. */
export function verifyDetached(
  signedData: Uint8Array,
  content: Uint8Array,
  trustedCertificates: readonly Uint8Array[],
): VerifiedSignature {
  const message = decodeSignedData(signedData, WHAT);
  if (message.contentType !== ID_DATA || message.contentDer !== undefined) {
    throw corrupt(`Cannot verify ${WHAT}: it carries content of type ${message.contentType} of its own`);
  }
  return verifySignedData(message, content, trustedCertificates, WHAT);
}
