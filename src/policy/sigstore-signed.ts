/** The requirement `sigstoreSigned`: cosign signatures beside the image (spec/chunked-and-policy.md 2.1, 3.3). */
import type { KeyObject } from "node:crypto";
import type { SignatureStore } from "../oci/index.ts";
import { type Signer, verifySignerCertificate } from "./certificates.ts";
import { type CosignSignature, readCosignSignatures } from "./cosign-signatures.ts";
import { decodeBase64 } from "./fields.ts";
import { acceptsIdentity } from "./identity.ts";
import { loadMaterial, readCertificates, readPem } from "./material.ts";
import { readPayload } from "./payload.ts";
import { isUsable, loadPublicKeys, type VerificationKey, verifySignature } from "./public-key.ts";
import { readRegistriesD, signatureStorageOf } from "./registries-d.ts";
import { verifyRekorSet } from "./rekor.ts";
import type { FulcioRoot, Material, PkiRoot, SigstoreSigned } from "./requirements.ts";
import {
  imageName,
  isDigestOf,
  type PolicySubject,
  rejected,
  requireSignature,
  type SignedDocument,
} from "./subject.ts";

/** What a requirement trusts, loaded. */
interface Trust {
  /** Verifies the signature over the payload. @throws SealrootError `untrusted` */
  verify(signature: CosignSignature, raw: Uint8Array): Promise<void>;
}

/**
 * One signature of the image, or of an index that holds it, must be accepted.
 *
 * The order of the checks is the reference's: signature, form of the payload, digest, identity. Nothing in a payload is
 * read before its signature is verified.
 *
 * @param now for certificates of the user's own authority, which have no log to say when they signed
 * @throws SealrootError `untrusted` with the reference's words; as loadPublicKeys; as the registry says
 */
export async function requireSigstoreSigned(
  requirement: SigstoreSigned,
  subject: PolicySubject,
  now: Date,
): Promise<void> {
  const trust = await loadTrust(requirement, now);
  const store = await attachmentsOf(subject);
  const fetch = async (digest: string) => (store === undefined ? [] : readCosignSignatures(store, digest));
  await requireSignature(subject, fetch, (document, signature) =>
    checkSignature(requirement, trust, subject, document, signature),
  );
}

/**
 * Where the signatures are. The reference looks in a registry only if `use-sigstore-attachments` says so; here a policy
 * that asks for such signatures is reason enough, and only an explicit `false` prevents it. Either way the image needs
 * one.
 */
async function attachmentsOf({ place, signatures }: PolicySubject): Promise<SignatureStore | undefined> {
  if (place.transport !== "docker") return signatures;
  const { useSigstoreAttachments } = signatureStorageOf(await readRegistriesD(), place.name);
  return useSigstoreAttachments === false ? undefined : signatures;
}

async function checkSignature(
  requirement: SigstoreSigned,
  trust: Trust,
  subject: PolicySubject,
  document: SignedDocument,
  signature: CosignSignature,
): Promise<void> {
  const raw = decodeBase64(signature.signature);
  if (raw === undefined || raw.length === 0) throw rejected("the signature is not base64");
  await trust.verify(signature, raw);
  const statement = readPayload(signature.payload, "cosign container image signature");
  if (!isDigestOf(statement.manifestDigest, document)) {
    throw rejected(`Signature for digest ${statement.manifestDigest} does not match ${document.digest}`);
  }
  if (!acceptsIdentity(requirement.identity, imageName(subject), statement.dockerReference)) {
    throw rejected(`Signature for identity "${statement.dockerReference}" is not accepted`);
  }
}

async function loadTrust(requirement: SigstoreSigned, now: Date): Promise<Trust> {
  const logKeys = requirement.rekorKeys === undefined ? undefined : await loadLogKeys(requirement.rekorKeys);
  const { trust } = requirement;
  switch (trust.kind) {
    case "keys": {
      const keys = await loadPublicKeys(trust.keys);
      return { verify: async (signature, raw) => verifyWithKeys(keys, logKeys, signature, raw) };
    }
    case "fulcio":
      return fulcioTrust(trust.fulcio, logKeys ?? []);
    case "pki":
      return pkiTrust(trust.pki, now);
  }
}

async function loadLogKeys(material: Material): Promise<KeyObject[]> {
  return (await loadPublicKeys(material)).map(({ key }) => key);
}

function verifyWithKeys(
  keys: readonly VerificationKey[],
  logKeys: readonly KeyObject[] | undefined,
  signature: CosignSignature,
  raw: Uint8Array,
): void {
  const signer = keys.find(({ key }) => verifySignature(key, signature.payload, raw));
  if (signer === undefined) throw rejected("cryptographic signature verification failed");
  if (logKeys === undefined) return;
  if (signature.rekorBundle === undefined) throw rejected("the signature has no Rekor SET");
  verifyRekorSet(signature.rekorBundle, logKeys, { payload: signature.payload, signature: raw, signer: signer.spki });
}

async function fulcioTrust(fulcio: FulcioRoot, logKeys: readonly KeyObject[]): Promise<Trust> {
  const roots = await loadCertificates(fulcio.authorities);
  return {
    verify: async (signature, raw) => {
      const leaf = leafOf(signature);
      if (signature.rekorBundle === undefined) throw rejected("the signature has no Rekor SET");
      const logged = { payload: signature.payload, signature: raw, signer: leaf };
      const time = verifyRekorSet(signature.rekorBundle, logKeys, logged);
      const signer = await verifySignerCertificate(leaf, { roots, intermediates: chainOf(signature) }, time);
      if (signer.oidcIssuer !== fulcio.oidcIssuer) {
        throw rejected(`Unexpected Fulcio OIDC issuer "${signer.oidcIssuer ?? ""}"`);
      }
      requireEmail(signer, fulcio.subjectEmail);
      requireSignatureOf(signer, signature, raw);
    },
  };
}

async function pkiTrust(pki: PkiRoot, now: Date): Promise<Trust> {
  const roots = await loadCertificates(pki.roots);
  const given = await loadCertificates(pki.intermediates);
  return {
    verify: async (signature, raw) => {
      const intermediates = [...given, ...chainOf(signature)];
      const signer = await verifySignerCertificate(leafOf(signature), { roots, intermediates }, now);
      if (pki.subjectEmail !== undefined) requireEmail(signer, pki.subjectEmail);
      const { subjectHostname } = pki;
      // Names are compared literally; a wildcard certificate does not identify a signer.
      if (subjectHostname !== undefined && !signer.hostnames.includes(subjectHostname)) {
        throw rejected(`Unexpected subject hostname: "${signer.hostnames.join(", ")}"`);
      }
      requireSignatureOf(signer, signature, raw);
    },
  };
}

function requireEmail({ emails }: Signer, email: string): void {
  if (!emails.includes(email)) throw rejected(`Required email ${email} not found (got ${emails.join(", ")})`);
}

function requireSignatureOf({ key }: Signer, { payload }: CosignSignature, raw: Uint8Array): void {
  if (!isUsable(key)) throw rejected("the certificate is for a key of a kind that is not accepted");
  if (!verifySignature(key, payload, raw)) throw rejected("cryptographic signature verification failed");
}

async function loadCertificates(material: Material): Promise<Uint8Array[]> {
  return (await loadMaterial(material)).flatMap(({ bytes, origin }) => readCertificates(bytes, origin));
}

function leafOf({ certificate }: CosignSignature): Uint8Array {
  const blocks = readPem(Buffer.from(certificate ?? ""));
  const [leaf] = blocks;
  if (leaf === undefined || blocks.length > 1) throw rejected("the signature does not have exactly one certificate");
  return leaf.der;
}

function chainOf({ chain }: CosignSignature): Uint8Array[] {
  return readPem(Buffer.from(chain ?? "")).map(({ der }) => der);
}
