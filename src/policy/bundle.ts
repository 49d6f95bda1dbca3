/** sigstore bundles: the JSON file of a signature and what is needed to verify it (spec/chunked-and-policy.md 2.2). */
import { SealrootError } from "../errors/index.ts";
import { type Descriptor, readManifest, readSignatureBlobs, type SignatureStore } from "../oci/index.ts";
import { Fields } from "./fields.ts";
import { parseStrictJson } from "./strict-json.ts";
import { rejected } from "./subject.ts";

const ARTIFACT_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
/** The new spelling, and the old one of versions 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto). */
const MEDIA_TYPE_PATTERN = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[123])$/;

/** Attestations with inventories are larger and skipped; a signature is a few kilobytes. */
const BUNDLE_MAX_BYTES = 4 << 20;
/** Each costs a request. */
const REFERRERS_MAX = 256;

const IN_TOTO_TYPE = "application/vnd.in-toto+json";
const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

/** A signature over what a bundle wraps. */
export type BundleContent =
  | {
      readonly kind: "dsse";
      readonly payloadType: string;
      readonly payload: Uint8Array;
      readonly signature: Uint8Array;
    }
  | {
      /** Over the signed bytes themselves: the manifest. */
      readonly kind: "message";
      readonly sha256: Uint8Array;
      readonly signature: Uint8Array;
    };

export interface Bundle {
  /** The document, for a verifier that reads it itself. */
  readonly bytes: Uint8Array;
  readonly signer: "key" | "certificate";
  readonly content: BundleContent;
}

/** True for the type of a blob that is a bundle. */
function isBundleType(mediaType: string | undefined): boolean {
  return mediaType !== undefined && MEDIA_TYPE_PATTERN.test(mediaType);
}

/**
 * The bundles that refer to one manifest, unverified and unread. They are chosen by their artifact type: on a registry
 * without the referrers API cosign does not copy annotations.
 * @throws SealrootError `corrupt`, `unsupported`, or as the registry says
 */
export async function fetchBundles(store: SignatureStore, manifestDigest: string): Promise<Uint8Array[]> {
  const referrers = await store.listReferrers(manifestDigest, ARTIFACT_TYPE);
  const wanted = referrers.filter(({ artifactType }) => isBundleType(artifactType));
  const what = `the bundles of ${manifestDigest}`;
  if (wanted.length > REFERRERS_MAX) {
    throw new SealrootError("unsupported", `Cannot read ${what}: more than ${REFERRERS_MAX} manifests refer to it`);
  }
  const blobs: Descriptor[] = [];
  // One after the other: a manifest may have megabytes, and few images have more than one.
  for (const referrer of wanted) {
    for (const blob of await bundlesIn(store, referrer, manifestDigest)) blobs.push(blob);
  }
  return readSignatureBlobs(store, blobs, what);
}

/** Only layers of a manifest whose subject is the image: a fallback tag can list anything. */
async function bundlesIn(store: SignatureStore, referrer: Descriptor, subject: string): Promise<Descriptor[]> {
  const { bytes } = await store.fetchManifest(referrer);
  const manifest = readManifest(bytes, referrer.digest);
  if (manifest.subject?.digest !== subject) return [];
  return manifest.layers.filter(({ mediaType, size }) => isBundleType(mediaType) && size <= BUNDLE_MAX_BYTES);
}

const WHAT = "sigstore bundle";

/**
 * Reads a bundle.
 * @throws SealrootError `corrupt` for anything but a bundle of versions 0.1 to 0.3 with exactly one signature
 */
export function readBundle(bytes: Uint8Array): Bundle {
  const fields = Fields.of(parseStrictJson(bytes, WHAT), WHAT);
  fields.only(["mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature"]);
  const mediaType = fields.text("mediaType");
  if (!isBundleType(mediaType)) throw fields.refused("mediaType", `"${mediaType}" is not known`);
  const material = fields.inner("verificationMaterial");
  const signer = material.oneOf(["publicKey", "certificate", "x509CertificateChain"], "needed");
  const isDsse = fields.oneOf(["dsseEnvelope", "messageSignature"], "needed") === "dsseEnvelope";
  const content = isDsse ? readEnvelope(fields.inner("dsseEnvelope")) : readMessage(fields.inner("messageSignature"));
  return { bytes, signer: signer === "publicKey" ? "key" : "certificate", content };
}

function readEnvelope(fields: Fields): BundleContent {
  fields.exactly(["payload", "payloadType", "signatures"]);
  const signatures = fields.list("signatures");
  if (signatures.length !== 1) throw fields.refused("signatures", "holds more than one");
  const signature = Fields.of(signatures[0], WHAT, `${fields.placeOf("signatures")}[0]`);
  signature.only(["sig", "keyid"]);
  return {
    kind: "dsse",
    payloadType: fields.text("payloadType"),
    payload: fields.base64("payload"),
    signature: signature.base64("sig"),
  };
}

function readMessage(fields: Fields): BundleContent {
  fields.exactly(["messageDigest", "signature"]);
  const digest = fields.inner("messageDigest");
  digest.exactly(["algorithm", "digest"]);
  if (digest.text("algorithm") !== "SHA2_256") throw digest.refused("algorithm", "is not SHA2_256");
  return { kind: "message", sha256: digest.base64("digest"), signature: fields.base64("signature") };
}

/** The signed form of an envelope: the "pre-authentication encoding" (DSSE protocol, "Signature Definition"). */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, "utf8");
  const head = `DSSEv1 ${type.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head, "utf8"), payload]);
}

/**
 * The digests a cosign image signature is about, from an envelope whose signature has been verified.
 * @returns `sha256:…` of every subject
 * @throws SealrootError `untrusted` for a statement about something else, such as an inventory; `corrupt`
 */
export function signedDigests(payloadType: string, payload: Uint8Array): string[] {
  if (payloadType !== IN_TOTO_TYPE) throw rejected(`the bundle holds ${payloadType}, not a statement`);
  const statement = Fields.of(parseStrictJson(payload, "statement"), "statement");
  const [type, predicateType] = [statement.text("_type"), statement.text("predicateType")];
  if (type !== STATEMENT_TYPE) throw rejected(`the bundle holds a statement of type ${type}`);
  if (predicateType !== SIGN_PREDICATE) throw rejected(`the bundle says ${predicateType}, which is no signature`);
  const place = (index: number) => `subject[${index}]`;
  return statement.list("subject").flatMap((value, index) => {
    const digests = Fields.of(value, "statement", place(index)).inner("digest");
    return digests.has("sha256") ? [`sha256:${digests.text("sha256")}`] : [];
  });
}
