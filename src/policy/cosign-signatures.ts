/** cosign signatures under the tag of an image's digest (spec/chunked-and-policy.md 2.1). */
import { SealrootError } from "../errors/index.ts";
import { cosignTag, MEDIA_TYPE, readManifest, readSignatureBlobs, type SignatureStore } from "../oci/index.ts";

const SIGNATURE_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";

const ANNOTATION = {
  signature: "dev.cosignproject.cosign/signature",
  certificate: "dev.sigstore.cosign/certificate",
  chain: "dev.sigstore.cosign/chain",
  bundle: "dev.sigstore.cosign/bundle",
} as const;

/** One signature as found: only the digest of the payload is verified. */
export interface CosignSignature {
  readonly payload: Uint8Array;
  /** Base64, as the annotation has it. */
  readonly signature: string;
  /** PEM of the signer's certificate, and of those between it and the root. */
  readonly certificate: string | undefined;
  readonly chain: string | undefined;
  /** The log's promise, JSON ("Rekor SET"). */
  readonly rekorBundle: string | undefined;
}

/**
 * The signatures of one manifest; none when the tag does not exist. Attachments of other kinds are skipped.
 * @throws SealrootError `corrupt`, `unsupported`, or as the registry says
 */
export async function readCosignSignatures(store: SignatureStore, manifestDigest: string): Promise<CosignSignature[]> {
  const tag = cosignTag(manifestDigest, "sig");
  const stored = await store.fetchTagged(tag);
  if (stored === undefined) return [];
  if (stored.mediaType !== MEDIA_TYPE.manifest) {
    throw new SealrootError("unsupported", `Cannot read signatures ${tag}: media type "${stored.mediaType}"`, {
      expected: MEDIA_TYPE.manifest,
      actual: stored.mediaType,
    });
  }
  const { layers } = readManifest(stored.bytes, tag);
  const signed = layers.filter((layer) => layer.mediaType === SIGNATURE_MEDIA_TYPE);
  const payloads = await readSignatureBlobs(store, signed, `signatures ${tag}`);
  return payloads.map((payload, index) => signatureOf(payload, signed[index]?.annotations ?? {}));
}

function signatureOf(payload: Uint8Array, annotations: Readonly<Record<string, string>>): CosignSignature {
  return {
    payload,
    signature: annotations[ANNOTATION.signature] ?? "",
    certificate: annotations[ANNOTATION.certificate],
    chain: annotations[ANNOTATION.chain],
    rekorBundle: annotations[ANNOTATION.bundle],
  };
}
