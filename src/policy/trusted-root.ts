/**
 * Bundles signed with certificates, verified offline against a given trusted root (sigstore's `trusted_root.json`). The only
 * file that knows the sigstore libraries; it is loaded when a policy needs it.
 */
import { X509Certificate } from "node:crypto";
import { type BundleWithDsseEnvelope, bundleFromJSON, type SerializedBundle } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { reasonOf, SealrootError } from "../errors/index.ts";
import type { Bundle } from "./bundle.ts";
import { CODE_SIGNING } from "./certificates.ts";
import type { LoadedMaterial } from "./material.ts";
import { parseStrictJson } from "./strict-json.ts";
import { rejected, requireSameBytes, type SignedDocument } from "./subject.ts";

/** Whom a certificate must name, letter for letter. */
export interface CertificateIdentity {
  readonly oidcIssuer: string;
  /** The subject alternative name. */
  readonly subject: string;
}

export interface BundleVerifier {
  /** @throws SealrootError `untrusted` */
  verify(bundle: Bundle, document: SignedDocument, identity: CertificateIdentity): void;
}

/**
 * A verifier over a trusted root. Certificates must lead to its authorities at a time that a log or a timestamp authority of
 * the root vouches for. Where the root lists transparency logs, an entry in one is needed; where it lists certificate logs, a
 * certificate needs a timestamp of one.
 *
 * @throws SealrootError `corrupt` for what is no trusted root, or one without anything that proves the time
 */
export function loadTrustedRoot({ bytes, origin }: LoadedMaterial): BundleVerifier {
  const root = readTrustedRoot(bytes, origin);
  if (root.tlogs.length === 0 && root.timestampAuthorities.length === 0) {
    throw new SealrootError(
      "corrupt",
      `Cannot use the trusted root of ${origin}: it has neither logs nor timestamp authorities`,
      { path: origin },
    );
  }
  const verifier = new Verifier(toTrustMaterial(root), {
    tlogThreshold: root.tlogs.length > 0 ? 1 : 0,
    ctlogThreshold: root.ctlogs.length > 0 ? 1 : 0,
    timestampThreshold: 1,
  });
  return { verify: (bundle, document, identity) => verifyBundle(verifier, bundle, document, identity) };
}

function readTrustedRoot(bytes: Uint8Array, origin: string): TrustedRoot {
  parseStrictJson(bytes, `trusted root of ${origin}`);
  try {
    return TrustedRoot.fromJSON(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read the trusted root of ${origin}: ${reasonOf(error)}`, {
      path: origin,
    });
  }
}

function verifyBundle(
  verifier: Verifier,
  bundle: Bundle,
  document: SignedDocument,
  { oidcIssuer, subject }: CertificateIdentity,
): void {
  if (bundle.signer !== "certificate") throw rejected("the bundle is signed with a key, not with a certificate");
  const { content } = bundle;
  if (content.kind === "message") requireSameBytes(content.sha256, document);
  let identity: ReturnType<Verifier["verify"]>["identity"];
  try {
    const parsed = bundleFromJSON(JSON.parse(Buffer.from(bundle.bytes).toString("utf8")) as SerializedBundle);
    requireCodeSigning(parsed.verificationMaterial.content);
    requireSamePayload(parsed, bundle);
    // The library's own check of the name takes a regular expression, so the comparison is made here.
    identity = verifier.verify(toSignedEntity(parsed, Buffer.from(document.bytes))).identity;
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw rejected(`the bundle is not accepted: ${reasonOf(error)}`);
  }
  const [name = "", issuer = ""] = [identity?.subjectAlternativeName, identity?.extensions?.issuer];
  if (issuer !== oidcIssuer) throw rejected(`Unexpected OIDC issuer "${issuer}"`);
  if (name !== subject) throw rejected(`Unexpected subject "${name}"`);
}

type SignerMaterial = ReturnType<typeof bundleFromJSON>["verificationMaterial"]["content"];

function requireCodeSigning(material: SignerMaterial): void {
  const raw =
    material.$case === "certificate"
      ? material.certificate.rawBytes
      : material.$case === "x509CertificateChain"
        ? material.x509CertificateChain.certificates[0]?.rawBytes
        : undefined;
  const usages = raw === undefined ? [] : (new X509Certificate(raw).keyUsage ?? []);
  if (!usages.includes(CODE_SIGNING)) throw rejected("the certificate is not for code signing");
}

/** What the library verifies and what is read here must be the same bytes. */
function requireSamePayload(parsed: ReturnType<typeof bundleFromJSON>, { content }: Bundle): void {
  if (content.kind !== "dsse") return;
  const { dsseEnvelope } = (parsed as BundleWithDsseEnvelope).content;
  if (!dsseEnvelope.payload.equals(content.payload) || dsseEnvelope.payloadType !== content.payloadType) {
    throw rejected("the bundle can be read in two ways");
  }
}
