/** Policies for PCR 11 in a sealed image's UKI: signed here, handed out, and taken back. */
import { isUtf8 } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { toHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { isSigned } from "../keys/index.ts";
import { findSection, parsePe, sectionContent, type UkiPolicy, ukiPolicies, withPcrSignatures } from "../pe/index.ts";
import {
  BOOT_PHASE_PATHS,
  isSignedBy,
  joinPcrSignatures,
  PCR_BANKS,
  type PcrSignature,
  type PcrSignatures,
  type PolicySigner,
  parsePcrSignatures,
  parsePolicyKey,
  policyKeyFingerprint,
  signPolicies,
} from "../tpm/index.ts";
import type { ReturnedFile } from "./returned-signatures.ts";

/** What a UKI gets so that a TPM releases secrets to it. */
export interface PcrPolicyChoice {
  /** Goes into `.pcrpkey`. */
  readonly publicKey: KeyObject;
  /** Undefined has the policies signed elsewhere. */
  readonly signer: PolicySigner | undefined;
  /** How far a boot may have come when a secret is released, such as `enter-initrd`. */
  readonly phasePaths: readonly string[];
}

/**
 * The phases when none are named: in the initramfs, and until the system's own file systems are mounted. From `sysinit`
 * on, before any service runs, nothing is released any more.
 */
export const UNLOCK_PHASES: readonly string[] = BOOT_PHASE_PATHS.slice(0, 2);
/** The bank in which systemd has a TPM verify signatures (systemd, tpm2-util.c, tpm2_policy_authorize()). */
const BANKS = ["sha256"] as const;
/** RSA of 2048 bits. */
const SIGNATURE_BYTES = 256;

/** @throws SealrootError `usage` for what is no phase of a boot, in its order */
export function checkPhasePaths(paths: readonly string[]): void {
  for (const path of paths) {
    if (BOOT_PHASE_PATHS.includes(path)) continue;
    throw new SealrootError("usage", `Cannot sign a policy for "${path}": a boot has no such phase`, {
      expected: BOOT_PHASE_PATHS.join(", "),
    });
  }
}

function policiesOfUki(uki: Uint8Array, phasePaths: readonly string[]): UkiPolicy[] {
  return ukiPolicies(parsePe(uki, "the UKI"), BANKS, phasePaths);
}

/**
 * The UKI with signed policies.
 * @param uki unsigned, with `.pcrpkey`
 * @throws SealrootError as signPolicies
 */
export async function withSignedPolicies(
  uki: Uint8Array,
  signer: PolicySigner,
  phasePaths: readonly string[],
): Promise<Uint8Array> {
  return withPcrSignatures(uki, await signPolicies(policiesOfUki(uki, phasePaths), signer));
}

/** The policies that a UKI has no signatures of yet, though it has their key; none of one that has no key. */
export function unsignedPolicies(uki: Uint8Array, phasePaths: readonly string[]): UkiPolicy[] {
  const image = parsePe(uki, "the UKI");
  const isOpen = findSection(image, ".pcrpkey") !== undefined && findSection(image, ".pcrsig") === undefined;
  return isOpen ? policiesOfUki(uki, phasePaths) : [];
}

/**
 * Whether a returned file is a list of signed policies, as systemd-measure writes it: text that begins with a brace. One bare
 * signature in 256 begins with that byte as well, but none is text.
 */
export function isPolicyList(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && /^\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString("utf8"));
}

/**
 * Takes signed policies out of what came back: lists by their form, bare signatures by what they sign.
 *
 * @returns the UKI with them, or as it was without any, and the files that are something else
 * @throws SealrootError `conflict` for policies of another UKI, or for a UKI that has some or is signed; `untrusted` for a signature
 *   that is not by the UKI's key; `unsupported` for lists of a UKI without key; `corrupt`
 */
export function takeSignedPolicies(
  uki: Uint8Array,
  returned: readonly ReturnedFile[],
): { readonly uki: Uint8Array; readonly others: readonly ReturnedFile[]; readonly count: number } {
  const image = parsePe(uki, "the UKI");
  const section = findSection(image, ".pcrpkey");
  const publicKey = section && parsePolicyKey(sectionContent(image, section), section.name);
  // Asked for only when a file may be one: the whole UKI is hashed for them.
  let found: readonly UkiPolicy[] | undefined;
  const known = () => {
    found ??= ukiPolicies(image, PCR_BANKS, BOOT_PHASE_PATHS);
    return found;
  };
  const taken: PcrSignatures[] = [];
  const others: ReturnedFile[] = [];
  for (const file of returned) {
    if (isPolicyList(file.bytes)) taken.push(checkedList(known, publicKey, file));
    else {
      const signature = publicKey && ofBareSignature(known, publicKey, file.bytes);
      if (signature === undefined) others.push(file);
      else taken.push(signature);
    }
  }
  if (taken.length === 0) return { uki, others, count: 0 };
  const state =
    findSection(image, ".pcrsig") !== undefined ? "it has some" : isSigned(uki) ? "it is signed" : undefined;
  if (state !== undefined) {
    throw new SealrootError("conflict", `Cannot attach signed policies to the UKI: ${state}`, {
      hint: "attach them to the image that seal --unsigned wrote, then have its UKI signed",
    });
  }
  const joined = inOrder(known(), joinPcrSignatures(taken));
  const count = Object.values(joined).reduce((sum, list) => sum + list.length, 0);
  return { uki: withPcrSignatures(uki, joined), others, count };
}

/** By the order of phases, however they came. */
function inOrder(known: readonly UkiPolicy[], signatures: PcrSignatures): PcrSignatures {
  const order = known.map(({ digest }) => toHex(digest));
  const sorted = (list: readonly PcrSignature[]) =>
    list.toSorted((a, b) => order.indexOf(a.pol) - order.indexOf(b.pol));
  return Object.fromEntries(Object.entries(signatures).map(([bank, list]) => [bank, sorted(list)]));
}

function checkedList(
  known: () => readonly UkiPolicy[],
  publicKey: KeyObject | undefined,
  { path, bytes }: ReturnedFile,
): PcrSignatures {
  if (publicKey === undefined) {
    throw new SealrootError("unsupported", `Cannot attach ${path}: the UKI has no policy key`, {
      path,
      hint: "seal with --pcr-public-key FILE, or --keys DIR with pcr.pub",
    });
  }
  const signatures = parsePcrSignatures(bytes, path);
  for (const bank of PCR_BANKS) {
    for (const entry of signatures[bank] ?? []) {
      if (!known().some((policy) => policy.bank === bank && toHex(policy.digest) === entry.pol)) {
        throw new SealrootError("conflict", `Cannot attach ${path}: a policy in it is not of this UKI`, {
          path,
          actual: entry.pol,
          hint: "sign the policies that were given out for this very image",
        });
      }
      if (entry.pkfp === policyKeyFingerprint(publicKey) && isSignedBy(entry, bank, publicKey)) continue;
      throw new SealrootError("untrusted", `Cannot attach ${path}: it is not signed by the UKI's policy key`, {
        path,
        expected: policyKeyFingerprint(publicKey),
        actual: entry.pkfp,
      });
    }
  }
  return signatures;
}

/** As bytes, or as base64. */
function ofBareSignature(
  known: () => readonly UkiPolicy[],
  publicKey: KeyObject,
  bytes: Uint8Array,
): PcrSignatures | undefined {
  const text = Buffer.from(bytes).toString("latin1").trim();
  const decoded = /^[A-Za-z0-9+/\s]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : bytes;
  const signature = bytes.length === SIGNATURE_BYTES ? bytes : decoded;
  if (signature.length !== SIGNATURE_BYTES) return undefined;
  const sig = Buffer.from(signature).toString("base64");
  for (const { bank, pcr, digest } of known()) {
    if (!BANKS.some((name) => name === bank)) continue;
    const entry = { pcrs: [pcr], pkfp: policyKeyFingerprint(publicKey), pol: toHex(digest), sig };
    if (isSignedBy(entry, bank, publicKey)) return { [bank]: [entry] };
  }
  return undefined;
}
