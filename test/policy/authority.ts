/** A certificate authority like Fulcio and a log like Rekor, for the tests. */
import "reflect-metadata";
import { createHash, KeyObject, sign, type webcrypto as WebCrypto, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { newKeys } from "./fixture.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
export const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
const FULCIO_ISSUER_V1 = "1.3.6.1.4.1.57264.1.1";
const FULCIO_ISSUER_V2 = "1.3.6.1.4.1.57264.1.8";

/** A day around which all certificates of the tests are valid. */
export const SIGNING_TIME = new Date("2026-03-01T12:00:00Z");
const HOUR_MS = 3_600_000;

export interface Issued {
  readonly certificate: X509Certificate;
  readonly keys: WebCrypto.CryptoKeyPair;
}

export interface LeafOptions {
  readonly email?: string;
  readonly hostname?: string;
  readonly uri?: string;
  readonly oidcIssuer?: string;
  /** Write the issuer as DER, as Fulcio does since 2022. */
  readonly modernIssuer?: boolean;
  readonly usages?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly extensions?: readonly Extension[];
}

function hoursAway(hours: number): Date {
  return new Date(SIGNING_TIME.getTime() + hours * HOUR_MS);
}

export async function issueAuthority(name: string, issuer?: Issued, pathLength?: number): Promise<Issued> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as WebCrypto.CryptoKeyPair;
  const extensions = [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
  ];
  return issue(`CN=${name}`, keys, issuer, extensions, hoursAway(-1000), hoursAway(100_000));
}

export async function issueLeaf(issuer: Issued, options: LeafOptions): Promise<Issued> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as WebCrypto.CryptoKeyPair;
  const { email, hostname, uri, oidcIssuer } = options;
  const names = [
    ...(email === undefined ? [] : [{ type: "email", value: email } as const]),
    ...(hostname === undefined ? [] : [{ type: "dns", value: hostname } as const]),
    ...(uri === undefined ? [] : [{ type: "url", value: uri } as const]),
  ];
  const extensions = [
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([...(options.usages ?? [CODE_SIGNING])]),
    new SubjectAlternativeNameExtension(names, true),
    ...(oidcIssuer === undefined ? [] : [issuerExtension(oidcIssuer, options.modernIssuer ?? false)]),
    ...(options.extensions ?? []),
  ];
  const { notBefore = hoursAway(-0.1), notAfter = hoursAway(0.1) } = options;
  return issue("", keys, issuer, extensions, notBefore, notAfter);
}

function issuerExtension(issuer: string, modern: boolean): Extension {
  const text = Buffer.from(issuer);
  if (!modern) return new Extension(FULCIO_ISSUER_V1, false, text);
  return new Extension(FULCIO_ISSUER_V2, false, Buffer.concat([Buffer.of(0x0c, text.length), text]));
}

async function issue(
  subject: string,
  keys: WebCrypto.CryptoKeyPair,
  issuer: Issued | undefined,
  extensions: readonly Extension[],
  notBefore: Date,
  notAfter: Date,
): Promise<Issued> {
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: "40",
      subject,
      issuer: issuer?.certificate.subject ?? subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: (issuer?.keys ?? keys).privateKey,
      extensions: [...extensions],
    },
    webcrypto as never,
  );
  return { certificate, keys };
}

export function derOf({ certificate }: Issued): Buffer {
  return Buffer.from(certificate.rawData);
}

export function privateKeyOf({ keys }: Issued): KeyObject {
  return KeyObject.from(keys.privateKey);
}

/** A log: its key, and promises for entries. */
export class TestLog {
  readonly keys = newKeys();

  get spki(): Buffer {
    return this.keys.publicKey.export({ format: "der", type: "spki" });
  }

  get id(): Buffer {
    return createHash("sha256").update(this.spki).digest();
  }

  /** The promise over an entry, as RFC 8785 writes it. */
  promise(body: Buffer, integratedTime: number): { payload: Record<string, unknown>; timestamp: string } {
    const payload = { body: body.toString("base64"), integratedTime, logID: this.id.toString("hex"), logIndex: 1 };
    const timestamp = sign("sha256", Buffer.from(JSON.stringify(payload)), this.keys.privateKey).toString("base64");
    return { payload, timestamp };
  }

  /** The proof that an entry is the only one of the log, under a signed head (transparency-dev, "checkpoint"). */
  inclusionProof(body: Buffer): Record<string, unknown> {
    const root = createHash("sha256").update(Buffer.of(0)).update(body).digest();
    const note = `rekor.example.com - 1\n1\n${root.toString("base64")}\n`;
    const signature = Buffer.concat([this.id.subarray(0, 4), sign("sha256", Buffer.from(note), this.keys.privateKey)]);
    const envelope = `${note}\n\u2014 rekor.example.com ${signature.toString("base64")}\n`;
    const rootHash = root.toString("base64");
    return { logIndex: "0", rootHash, treeSize: "1", hashes: [], checkpoint: { envelope } };
  }

  /** cosign's annotation for a signature of the tag scheme. @param signer PEM */
  rekorBundle(payload: Uint8Array, signature: string, signer: string, time = SIGNING_TIME): string {
    const body = hashedRekord(payload, signature, signer);
    const { payload: signed, timestamp } = this.promise(body, time.getTime() / 1000);
    return JSON.stringify({ SignedEntryTimestamp: timestamp, Payload: signed });
  }
}

export function hashedRekord(payload: Uint8Array, signature: string, signer: string): Buffer {
  const value = createHash("sha256").update(payload).digest("hex");
  const spec = {
    data: { hash: { algorithm: "sha256", value } },
    signature: { content: signature, publicKey: { content: Buffer.from(signer).toString("base64") } },
  };
  return Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec }));
}

/** A critical extension that nobody knows. */
export function unknownCritical(): Extension {
  return new Extension("1.2.3.4", true, Buffer.from("0500", "hex"));
}
