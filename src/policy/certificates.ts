/** Certificates of signers: chains up to given roots, and whom they name (spec/chunked-and-policy.md 3.3; RFC 5280). */
import { type KeyObject, X509Certificate } from "node:crypto";
import type { X509Certificate as ParsedCertificate } from "@peculiar/x509";
import { rejected } from "./subject.ts";

/** Extended key usage of certificates that sign programs and images (RFC 5280 4.2.1.12). */
export const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
/** Where Fulcio puts the issuer of the account: as bare text, and as a UTF8String (Fulcio, oid-info.md). */
const FULCIO_ISSUER_V1 = "1.3.6.1.4.1.57264.1.1";
const FULCIO_ISSUER_V2 = "1.3.6.1.4.1.57264.1.8";
/** Tag and one-byte length of a short DER UTF8String (X.690 8.23). */
const UTF8_STRING_TAG = 0x0c;

/**
 * Critical extensions that are checked here (RFC 5280 4.2): key usage, alternative names, basic constraints, extended.
 */
const KNOWN_CRITICAL = ["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"];
/** Authorities between a leaf and its root, and how many are considered: the search tries them in every order. */
const CHAIN_MAX = 4;
const INTERMEDIATES_MAX = 8;

/** A verified signer. */
export interface Signer {
  readonly key: KeyObject;
  readonly emails: readonly string[];
  readonly hostnames: readonly string[];
  /** Of the account, as Fulcio recorded it. */
  readonly oidcIssuer: string | undefined;
}

/** Certificates, each in DER. */
export interface CertificatePool {
  readonly roots: readonly Uint8Array[];
  /** From anywhere; they serve only as links of a chain. */
  readonly intermediates: readonly Uint8Array[];
}

/**
 * Verifies that `leaf` may sign images and leads to one of the roots, with everything valid at `time`.
 * @throws SealrootError `untrusted`
 */
export async function verifySignerCertificate(leaf: Uint8Array, pool: CertificatePool, time: Date): Promise<Signer> {
  const { parse } = await parser();
  const certificate = parse(leaf);
  if (!certificate.usages.includes(CODE_SIGNING)) throw rejected("the certificate is not for code signing");
  if (pool.intermediates.length > INTERMEDIATES_MAX) throw rejected("the chain of the certificate is too long");
  const roots = pool.roots.map(parse);
  const intermediates = pool.intermediates.map(parse);
  if (!leadsToRoot(certificate, { roots, intermediates }, time, 0)) {
    throw rejected(`the certificate does not lead to a trusted authority at ${time.toISOString()}`);
  }
  return { key: certificate.node.publicKey, ...certificate };
}

interface Certificate extends Omit<Signer, "key"> {
  readonly node: X509Certificate;
  readonly usages: readonly string[];
  /** How many authorities may be between it and the leaf; undefined: any number. */
  readonly pathLength: number | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly isAcceptable: boolean;
}

async function parser() {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const parse = (der: Uint8Array): Certificate => {
    let node: X509Certificate;
    let parsed: ParsedCertificate;
    try {
      node = new X509Certificate(der);
      parsed = new x509.X509Certificate(der);
    } catch {
      throw rejected("a certificate of the signature is damaged");
    }
    const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const named = (type: string) => names.filter((name) => name.type === type).map((name) => name.value);
    return {
      node,
      usages: (parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? []).map(String),
      pathLength: parsed.getExtension(x509.BasicConstraintsExtension)?.pathLength,
      notBefore: parsed.notBefore,
      notAfter: parsed.notAfter,
      isAcceptable: isAcceptable(parsed),
      emails: named("email"),
      hostnames: named("dns"),
      oidcIssuer: fulcioIssuer(parsed),
    };
  };
  return { parse };
}

/** No extension twice, and no unknown critical one (RFC 5280 4.2). */
function isAcceptable({ extensions }: ParsedCertificate): boolean {
  const types = extensions.map(({ type }) => type);
  const critical = extensions.filter((extension) => extension.critical);
  return new Set(types).size === types.length && critical.every(({ type }) => KNOWN_CRITICAL.includes(type));
}

function fulcioIssuer({ extensions }: ParsedCertificate): string | undefined {
  const valueAt = (oid: string) => extensions.find(({ type }) => type === oid)?.value;
  const modern = valueAt(FULCIO_ISSUER_V2);
  if (modern !== undefined) {
    const [tag, length, ...text] = Buffer.from(modern);
    return tag === UTF8_STRING_TAG && length === text.length ? Buffer.from(text).toString("utf8") : undefined;
  }
  const old = valueAt(FULCIO_ISSUER_V1);
  return old === undefined ? undefined : Buffer.from(old).toString("utf8");
}

interface ParsedPool {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
}

/** @param below how many authorities are between `certificate` and the leaf, including itself if it is one */
function leadsToRoot(certificate: Certificate, pool: ParsedPool, time: Date, below: number): boolean {
  if (below > CHAIN_MAX || !isValidAt(certificate, time)) return false;
  const issues = (authority: Certificate) => {
    const { node, pathLength } = authority;
    if (!node.ca || !isValidAt(authority, time) || (pathLength !== undefined && pathLength < below)) return false;
    return certificate.node.checkIssued(node) && certificate.node.verify(node.publicKey);
  };
  if (pool.roots.some(issues)) return true;
  // A link is used once, so two that issued each other end the search.
  return pool.intermediates.some((link) => {
    if (link === certificate || !issues(link)) return false;
    const others = { ...pool, intermediates: pool.intermediates.filter((other) => other !== link) };
    return leadsToRoot(link, others, time, below + 1);
  });
}

function isValidAt({ isAcceptable, notBefore, notAfter }: Certificate, time: Date): boolean {
  return isAcceptable && notBefore <= time && time <= notAfter;
}
