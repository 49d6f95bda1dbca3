/** cosign signatures under the tag of an image's digest (spec/chunked-and-policy.md 2.1). */
import { SealrootError } from "../../errors/index.ts";
import { cosignTag } from "../digest-tags.ts";
import { type Descriptor, readManifest } from "../documents.ts";
import { MEDIA_TYPE } from "../media-types.ts";
import type { SignatureStore } from "./signature-store.ts";

const SIGNATURE_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";

const ANNOTATION = {
  signature: "dev.cosignproject.cosign/signature",
  certificate: "dev.sigstore.cosign/certificate",
  chain: "dev.sigstore.cosign/chain",
  bundle: "dev.sigstore.cosign/bundle",
} as const;

/** Payloads are some hundred bytes; the reference stops at 4 MiB. */
const PAYLOAD_MAX_BYTES = 4 << 20;
/** Every signature costs a request. */
const SIGNATURES_MAX = 256;

/** One signature as found: nothing of it is verified but the digest of the payload. */
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
 * The signatures of one manifest; none when the tag does not exist. Attachments of other kinds are passed over.
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
  if (signed.length > SIGNATURES_MAX) {
    throw new SealrootError("unsupported", `Cannot read signatures ${tag}: there are more than ${SIGNATURES_MAX}`);
  }
  return Promise.all(signed.map((layer) => readSignature(store, layer)));
}

async function readSignature(store: SignatureStore, layer: Descriptor): Promise<CosignSignature> {
  if (layer.size > PAYLOAD_MAX_BYTES) {
    throw new SealrootError("unsupported", `Cannot read signature ${layer.digest}: ${layer.size} bytes are too many`);
  }
  const payload = await store.blobs.readWhole(layer);
  const { annotations = {} } = layer;
  return {
    payload,
    signature: annotations[ANNOTATION.signature] ?? "",
    certificate: annotations[ANNOTATION.certificate],
    chain: annotations[ANNOTATION.chain],
    rekorBundle: annotations[ANNOTATION.bundle],
  };
}
