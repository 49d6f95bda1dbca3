/**
 * Policies for PCR 11 that a UKI carries signed, judged as systemd and the TPM take them (systemd, tpm2-util.c, find_signature()): by
 * bank, registers, key and digest. One that is wrong keeps no system from booting; what is bound to its key stays shut.
 */
import type { KeyObject } from "node:crypto";
import { toHex } from "../../bytes/index.ts";
import { findSection, type PeImage, sectionContent, type UkiPolicy, ukiPolicies } from "../../pe/index.ts";
import {
  BOOT_PHASE_PATHS,
  isSignedBy,
  PCR,
  PCR_BANKS,
  type PcrBank,
  type PcrSignature,
  type PcrSignatures,
  parsePcrSignatures,
  parsePolicyKey,
  policyKeyFingerprint,
} from "../../tpm/index.ts";
import type { LinkDraft } from "../report/link.ts";

/** Right after the stub, the phases of a boot, and those of its end (systemd-pcrphase.service(8)). */
const UP = BOOT_PHASE_PATHS.at(-1) ?? "";
const PATHS = ["", ...BOOT_PHASE_PATHS, `${UP}:shutdown`, `${UP}:shutdown:final`];
const SHUT = "what is bound to its key stays shut";
const REMEDY = "seal the image again with the policy key: sealroot seal --pcr-key";

/** Adds nothing for a UKI without policies. @param path of the UKI */
export function checkSignedPolicies(draft: LinkDraft, image: PeImage, path: string): void {
  let signatures: PcrSignatures | undefined;
  let key: KeyObject | undefined;
  try {
    signatures = readSection(image, ".pcrsig", parsePcrSignatures);
    key = readSection(image, ".pcrpkey", parsePolicyKey);
  } catch (error) {
    draft.failed(error, "broken", { path, remedy: REMEDY });
    return;
  }
  if (signatures === undefined || Object.values(signatures).every((entries) => entries.length === 0)) {
    if (key === undefined) return;
    draft.find("weaker", `it has a key for policies of PCR 11 and none that the key signed: ${SHUT}`, {
      ...{ path, expected: "policies in a section .pcrsig", found: "none", remedy: REMEDY },
    });
    return;
  }
  if (key === undefined) {
    draft.find("unchecked", "it has signed policies of PCR 11, and not the key that signed them", { path });
    return;
  }
  for (const bank of PCR_BANKS) {
    const entries = signatures[bank] ?? [];
    if (entries.length > 0) checkBank(draft, image, path, { bank, entries, key });
  }
}

function readSection<T>(image: PeImage, name: string, parse: (bytes: Uint8Array, what: string) => T): T | undefined {
  const section = findSection(image, name, "the UKI");
  return section && parse(sectionContent(image, section), `section ${name}`);
}

/** The policies for the values of one bank. */
interface BankPolicies {
  readonly bank: PcrBank;
  readonly entries: readonly PcrSignature[];
  readonly key: KeyObject;
}

function checkBank(draft: LinkDraft, image: PeImage, path: string, { bank, entries, key }: BankPolicies): void {
  const fingerprint = policyKeyFingerprint(key);
  const own = entries.filter(({ pkfp }) => pkfp === fingerprint);
  const [first] = own;
  if (first === undefined) {
    draft.broken(`no policy in the ${bank} bank is by the key of the UKI: ${SHUT}`, {
      ...{ path, expected: `key ${fingerprint}`, found: `key ${entries[0]?.pkfp ?? "none"}`, remedy: REMEDY },
    });
    return;
  }
  for (const entry of own.filter((one) => !isSignedBy(one, bank, key))) {
    draft.broken(`the signature of a policy in the ${bank} bank is not by the key of the UKI: the TPM refuses it`, {
      ...{ path, expected: `a signature by ${fingerprint} of ${entry.pol}`, found: entry.sig, remedy: REMEDY },
    });
  }
  // Other registers are not known from the UKI alone.
  const judged = own.filter(({ pcrs }) => `${pcrs}` === `${PCR.uki}`);
  if (judged.length < own.length) {
    draft.find("unchecked", `policies in the ${bank} bank are about more than PCR ${PCR.uki}`, { path });
  }
  if (judged.length === 0) return;
  let policies: readonly UkiPolicy[];
  try {
    policies = ukiPolicies(image, [bank], PATHS);
  } catch (error) {
    draft.failed(error, "unchecked", { path });
    return;
  }
  const held = policies.filter(({ digest }) => judged.some(({ pol }) => pol === toHex(digest)));
  if (held.length === 0) {
    // The first phase that is signed, of a UKI as seal makes them.
    const wanted = policies.find(({ phasePath }) => phasePath === BOOT_PHASE_PATHS[0]);
    draft.broken(`its policies in the ${bank} bank are of another UKI: ${SHUT}`, {
      path,
      expected: toHex(wanted?.digest ?? new Uint8Array(0)),
      found: first.pol,
      remedy: REMEDY,
    });
    return;
  }
  const phases = held.map(({ phasePath }) => phasePath || "the stub").join(", ");
  draft.fact(`its policies in the ${bank} bank, by key ${fingerprint}, hold at ${phases}`);
}
