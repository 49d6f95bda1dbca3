/**
 * Signed PCR policies, `.pcrsig` of a UKI: JSON as systemd-measure(1) makes it, and the public key of their signer, `.pcrpkey`,
 * as PEM.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { toHex } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { PCR_BANKS, type PcrBank } from "./register.ts";

/** One policy and its signature. */
export interface PcrSignature {
  readonly pcrs: readonly number[];
  /** Of the key that signed: {@link policyKeyFingerprint}, hex. */
  readonly pkfp: string;
  /** The digest of the policy, hex. */
  readonly pol: string;
  /** RSA PKCS #1 v1.5 over the digest, hashed by the algorithm of the bank (systemd, measure-tool.c), base64. */
  readonly sig: string;
}

/** By the bank whose values the policies want. */
export type PcrSignatures = Readonly<Partial<Record<PcrBank, readonly PcrSignature[]>>>;

/** Signs policies. The private key may live in this process, in a hardware module or on another machine. */
export interface PolicySigner {
  readonly publicKey: KeyObject;
  /**
   * @param toBeSigned the bytes to hash and sign: a policy's digest
   * @param bank whose algorithm hashes them
   */
  sign(toBeSigned: Uint8Array, bank: PcrBank): Promise<Uint8Array>;
}

/** Signs with a private key that is at hand. */
export function policySignerOfKey(privateKey: KeyObject): PolicySigner {
  return { publicKey: createPublicKey(privateKey), sign: async (bytes, bank) => sign(bank, bytes, privateKey) };
}

/** A policy to be signed. */
export interface PcrPolicy {
  readonly pcr: number;
  readonly bank: PcrBank;
  readonly digest: Uint8Array;
}

/** Four policies in four banks take 9 KiB. */
const TEXT_MAX_BYTES = 1 << 20;

/**
 * The identity of a policy key: SHA-256 of the public key as RSAPublicKey of PKCS #1 (systemd, pubkey_fingerprint() in
 * openssl-util.c), hex.
 * @throws SealrootError `unsupported` for a key that is not RSA
 */
export function policyKeyFingerprint(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(requireRsaKey(publicKey).export({ type: "pkcs1", format: "der" }))
    .digest("hex");
}

/** The key as `.pcrpkey` holds it: SubjectPublicKeyInfo, PEM (systemd-measure(1)). */
export function policyKeyPem(publicKey: KeyObject): Uint8Array {
  return Buffer.from(requireRsaKey(publicKey).export({ type: "spki", format: "pem" }));
}

/**
 * Reads a key of `.pcrpkey`, or of a file with a certificate or public key.
 * @throws SealrootError `corrupt`; `unsupported` for a key that is not RSA
 */
export function parsePolicyKey(bytes: Uint8Array, what: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(Buffer.from(bytes));
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read ${what}: it is no public key in PEM`, {}, error);
  }
  return requireRsaKey(key);
}

/** systemd has TPMs verify RSASSA only (systemd-measure(1), `--private-key=`). */
function requireRsaKey(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === "rsa") return key;
  throw new SealrootError("unsupported", "Cannot use the policy key: it is not an RSA key", {
    expected: "RSA",
    actual: key.asymmetricKeyType ?? "no public key",
  });
}

/**
 * Has policies signed; each answer is verified.
 * @throws SealrootError `conflict` for an answer that is no signature by this key
 */
export async function signPolicies(policies: readonly PcrPolicy[], signer: PolicySigner): Promise<PcrSignatures> {
  const pkfp = policyKeyFingerprint(signer.publicKey);
  const signatures: Partial<Record<PcrBank, PcrSignature[]>> = {};
  for (const { pcr, bank, digest } of policies) {
    const signature = await signer.sign(digest, bank);
    const entry = { pcrs: [pcr], pkfp, pol: toHex(digest), sig: Buffer.from(signature).toString("base64") };
    if (!isSignedBy(entry, bank, signer.publicKey)) {
      throw new SealrootError("conflict", "Cannot sign the policy of PCR 11: the answer is no signature by its key", {
        hint: `the signer must answer with a raw RSA PKCS #1 v1.5 signature with ${bank} by the policy key`,
      });
    }
    signatures[bank] = [...(signatures[bank] ?? []), entry];
  }
  return signatures;
}

/** Whether the signature is good. @param bank of the policy */
export function isSignedBy({ pol, sig }: PcrSignature, bank: PcrBank, publicKey: KeyObject): boolean {
  return verify(bank, Buffer.from(pol, "hex"), publicKey, Buffer.from(sig, "base64"));
}

/** All of them, each once, banks and signatures in the order in which they come. */
export function joinPcrSignatures(all: readonly PcrSignatures[]): PcrSignatures {
  const joined: Partial<Record<PcrBank, PcrSignature[]>> = {};
  for (const signatures of all) {
    for (const bank of banksOf(signatures)) {
      const list = joined[bank] ?? [];
      joined[bank] = list;
      for (const entry of signatures[bank] ?? []) {
        if (!list.some((other) => sameSignature(other, entry))) list.push(entry);
      }
    }
  }
  return joined;
}

function banksOf(signatures: PcrSignatures): PcrBank[] {
  return Object.keys(signatures).filter((bank): bank is PcrBank => PCR_BANKS.some((known) => known === bank));
}

function sameSignature(one: PcrSignature, other: PcrSignature): boolean {
  return one.pol === other.pol && one.sig === other.sig && one.pkfp === other.pkfp && `${one.pcrs}` === `${other.pcrs}`;
}

/** The text that ukify puts into `.pcrsig`: one line with a space after every comma and colon. */
export function formatPcrSignatures(signatures: PcrSignatures): string {
  const entryText = ({ pcrs, pkfp, pol, sig }: PcrSignature) =>
    `{"pcrs": [${pcrs.join(", ")}], "pkfp": "${pkfp}", "pol": "${pol}", "sig": "${sig}"}`;
  const banks = banksOf(signatures).map((bank) => `"${bank}": [${(signatures[bank] ?? []).map(entryText).join(", ")}]`);
  return `{${banks.join(", ")}}`;
}

/**
 * Reads `.pcrsig`, or what systemd-measure printed.
 * @throws SealrootError `corrupt`
 */
export function parsePcrSignatures(bytes: Uint8Array, what: string): PcrSignatures {
  if (bytes.length > TEXT_MAX_BYTES) throw corrupt(`Cannot read ${what}: it has ${bytes.length} bytes`);
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(withoutPadding(bytes)).toString("utf8"));
  } catch (error) {
    throw new SealrootError("corrupt", `Cannot read ${what}: it is no JSON`, {}, error);
  }
  if (!isObject(document)) throw corrupt(`Cannot read ${what}: it is no JSON object of banks`);
  const signatures: Partial<Record<PcrBank, PcrSignature[]>> = {};
  for (const [name, list] of Object.entries(document)) {
    const bank = PCR_BANKS.find((known) => known === name);
    if (bank === undefined || !Array.isArray(list)) throw corrupt(`Cannot read ${what}: "${name}" is no bank of a TPM`);
    signatures[bank] = list.map((entry: unknown) => signatureOf(entry, what));
  }
  return signatures;
}

/** Builders fill sections up with NULs. By bytes: a pattern would try again at each NUL of a long run. */
function withoutPadding(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

function signatureOf(entry: unknown, what: string): PcrSignature {
  const { pcrs, pkfp, pol, sig } = isObject(entry) ? entry : {};
  const isSignature =
    Array.isArray(pcrs) &&
    pcrs.every((pcr): pcr is number => Number.isInteger(pcr) && Number(pcr) >= 0 && Number(pcr) < 24) &&
    isText(pkfp, /^[0-9a-f]{64}$/) &&
    isText(pol, /^[0-9a-f]{64}$/) &&
    isText(sig, /^[A-Za-z0-9+/]+={0,2}$/);
  if (!isSignature) throw corrupt(`Cannot read ${what}: it holds something that is no signed policy`);
  return { pcrs, pkfp, pol, sig };
}

function isText(value: unknown, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
