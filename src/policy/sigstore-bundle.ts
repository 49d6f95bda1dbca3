/** The requirement `sigstoreBundle`, which is ours: bundles that refer to the image (spec/chunked-and-policy.md 2.2). */
import { type Bundle, fetchBundles, preAuthenticationEncoding, readBundle, signedDigests } from "./bundle.ts";
import { loadMaterial } from "./material.ts";
import { loadPublicKeys, type VerificationKey, verifySignature } from "./public-key.ts";
import type { SigstoreBundle } from "./requirements.ts";
import {
  isDigestOf,
  type PolicySubject,
  rejected,
  requireSameBytes,
  requireSignature,
  type SignedDocument,
} from "./subject.ts";

/** Verifies the signature of a bundle over a document, or over a statement, which the caller then reads. */
type VerifyBundle = (bundle: Bundle, document: SignedDocument) => Promise<void>;

/**
 * One bundle that refers to the image, or to an index that holds it, must be accepted.
 *
 * A bundle is bound only to a digest: there is no name in it. Only the scope of the policy with this requirement ties a
 * signer to a repository.
 *
 * @throws SealrootError `untrusted`; as loadPublicKeys; as the registry says
 */
export async function requireSigstoreBundle(requirement: SigstoreBundle, subject: PolicySubject): Promise<void> {
  const verify = await loadVerifier(requirement);
  const { signatures: store } = subject;
  const fetch = async (digest: string) => (store === undefined ? [] : fetchBundles(store, digest));
  await requireSignature(subject, fetch, (document, bytes) => checkBundle(verify, document, bytes));
}

async function checkBundle(verify: VerifyBundle, document: SignedDocument, bytes: Uint8Array): Promise<void> {
  const bundle = readBundle(bytes);
  await verify(bundle, document);
  const { content } = bundle;
  // A signature over the manifest itself needs no statement: what it covers is the image.
  if (content.kind === "message") return;
  const digests = signedDigests(content.payloadType, content.payload);
  if (!digests.some((digest) => isDigestOf(digest, document))) {
    throw rejected(`the bundle is for ${digests.join(", ") || "no sha256 digest"}, not for ${document.digest}`);
  }
}

async function loadVerifier({ trust }: SigstoreBundle): Promise<VerifyBundle> {
  if (trust.kind === "keys") {
    const keys = await loadPublicKeys(trust.keys);
    return async (bundle, document) => verifyWithKeys(keys, bundle, document);
  }
  const [root] = await loadMaterial(trust.trustedRoot);
  if (root === undefined) throw new Error("unreachable: the requirement names one root");
  const { loadTrustedRoot } = await import("./trusted-root.ts");
  const trustedRoot = loadTrustedRoot(root);
  return async (bundle, document) => trustedRoot.verify(bundle, document, trust);
}

/** The hint of a bundle is only a hint, so every key is tried. */
function verifyWithKeys(keys: readonly VerificationKey[], bundle: Bundle, document: SignedDocument): void {
  const { content } = bundle;
  if (bundle.signer !== "key") throw rejected("the bundle is signed with a certificate, not with a key");
  if (content.kind === "message") requireSameBytes(content.sha256, document);
  const message =
    content.kind === "message" ? document.bytes : preAuthenticationEncoding(content.payloadType, content.payload);
  if (!keys.some(({ key }) => verifySignature(key, message, content.signature))) {
    throw rejected("cryptographic signature verification failed");
  }
}
