/** The word of a TPM for evidence: who signed, about what and when, and what was booted. */
import { createPublicKey } from "node:crypto";
import { toHex } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import {
  digestOfValues,
  type EventLog,
  type MeasuredTable,
  measuredTables,
  parseAttestationKey,
  parseEventLog,
  replayEventLog,
  verifyQuote,
} from "../tpm/index.ts";
import type { ChainDraft, LinkDraft } from "../verify/index.ts";
import { checkSecureBoot, checkStarted } from "./check-event-log.ts";
import { bindingOf, bytesOfBase64, type Evidence, type EvidenceProgram, type EvidenceQuote } from "./evidence.ts";
import type { EvidenceOptions } from "./options.ts";
import { QUOTED_REGISTERS } from "./registers.ts";
import { phasesReaching, phasesText, stubRegister } from "./uki-register.ts";

/** What other links may lean on. */
export interface QuotedWord {
  /** The quote is good and is about this evidence. */
  readonly isTrusted: boolean;
  /** The UKI that runs, as the quote has it. */
  readonly booted: EvidenceProgram | undefined;
  /** What the system had measured of its own boot by then. */
  readonly phases: readonly string[];
  /** Of the disks that the firmware started from. */
  readonly tables: readonly MeasuredTable[];
}

const NOTHING: QuotedWord = { isTrusted: false, booted: undefined, phases: [], tables: [] };
const UKI_REGISTER = 11;
/** The running system measures into it what it finds: machine id, file systems (systemd-pcrmachine.service(8)). */
const SYSTEM_REGISTER = 15;

type Demanded = Pick<EvidenceOptions, "nonce" | "attestationKey">;

export function checkQuote(chain: ChainDraft, evidence: Evidence, demanded: Demanded): QuotedWord {
  const { quote } = evidence;
  const draft = chain.link("quote", quote === null ? "of a TPM" : `of a TPM for the nonce ${quote.nonce}`);
  if (quote === null) {
    const isDemanded = demanded.nonce !== undefined || demanded.attestationKey !== undefined;
    if (isDemanded)
      draft.broken("the evidence has none", { remedy: "sealroot verify --booted --evidence FILE --nonce NONCE" });
    else draft.find("unchecked", "there is none: nothing vouches for the evidence but who gave it");
    return NOTHING;
  }
  try {
    checkSignature(draft, { ...evidence, quote }, demanded);
  } catch (error) {
    draft.failed(error);
  }
  if (draft.isBroken) return NOTHING;
  const booted = bootedUki(draft, evidence, quote);
  const log = checkedLog(draft, evidence, quote);
  if (log !== undefined) {
    checkStarted(draft, log, evidence, booted?.uki);
    checkSecureBoot(draft, log, evidence);
  }
  let tables: readonly MeasuredTable[] = [];
  try {
    tables = log === undefined ? [] : measuredTables(log);
  } catch (error) {
    draft.failed(error);
  }
  if (draft.isBroken) return NOTHING;
  return { isTrusted: true, booted: booted?.uki, phases: booted?.phases ?? [], tables };
}

type Quoted = Evidence & { readonly quote: EvidenceQuote };

/** Signature, key, nonce, binding and values. @throws SealrootError for a key or a quote that is none */
function checkSignature(draft: LinkDraft, evidence: Quoted, { nonce, attestationKey }: Demanded): void {
  const { quote } = evidence;
  const key = parseAttestationKey(bytesOfBase64(quote.attestationKey));
  const claim = verifyQuote({ attest: bytesOfBase64(quote.attest), signature: bytesOfBase64(quote.signature) }, key);
  const spki = key.publicKey.export({ type: "spki", format: "der" });
  if (attestationKey === undefined) {
    draft.find(
      "weaker",
      "nobody at hand knows the key that signed it: whoever made the evidence may have made the key",
      {
        remedy: "give the key that was written when the machine was installed: --attestation-key FILE",
      },
    );
  } else if (spki.equals(attestationKey)) draft.checkedBy("the attestation key that was given");
  else {
    draft.broken("it is of another TPM: another key signed it", {
      ...{ expected: Buffer.from(attestationKey).toString("base64"), found: spki.toString("base64") },
    });
  }
  if (nonce === undefined) {
    draft.find("unchecked", "it may be old: no nonce is at hand that it must be about", {
      remedy: "give the nonce that was asked for: --nonce NONCE",
    });
  } else if (nonce !== quote.nonce) {
    draft.broken("it is about another nonce, so it may be old", { expected: nonce, found: quote.nonce });
  }
  const binding = toHex(bindingOf(evidence));
  if (toHex(claim.qualifyingData) !== binding) {
    draft.broken("it is not about this evidence: something in the evidence is not what it was", {
      ...{ expected: toHex(claim.qualifyingData), found: binding },
    });
  }
  const values = valuesOf(quote);
  const numbers = [...values.keys()].join(",");
  if (numbers !== QUOTED_REGISTERS.join(",") || claim.registers.join(",") !== numbers) {
    draft.broken("it is not about the registers of a boot", {
      ...{ expected: QUOTED_REGISTERS.join(","), found: `${claim.registers.join(",")}, stated ${numbers}` },
    });
  }
  const digest = toHex(digestOfValues(values));
  if (toHex(claim.pcrDigest) !== digest) {
    draft.broken("the registers had other values", { expected: toHex(claim.pcrDigest), found: digest });
  }
  draft.fact(`the TPM was reset ${claim.resetCount} times and had run ${claim.clockMs / 1000n} s`);
}

function valuesOf({ registers }: EvidenceQuote): ReadonlyMap<number, Uint8Array> {
  return new Map(registers.map(({ number, value }) => [number, Buffer.from(value, "hex")]));
}

/** The UKI whose sections give PCR 11. */
function bootedUki(draft: LinkDraft, { programs }: Evidence, quote: EvidenceQuote) {
  const value = valuesOf(quote).get(UKI_REGISTER) ?? new Uint8Array(0);
  for (const uki of programs) {
    const phases = uki.sections === null ? undefined : phasesReaching(stubRegister(uki.sections), value);
    if (phases === undefined) continue;
    draft.fact(`PCR 11 is that of ${uki.path}, ${phasesText(phases)}`);
    return { uki, phases };
  }
  draft.broken("PCR 11 is that of no UKI of the evidence: something else was booted", { found: toHex(value) });
  return undefined;
}

/** @returns the log, if its digests give the values that were quoted */
function checkedLog(draft: LinkDraft, { programs }: Evidence, quote: EvidenceQuote): EventLog | undefined {
  if (quote.eventLog === null) {
    draft.find(
      "unchecked",
      "the log of the firmware is not at hand: what it started, and with which keys, is not known",
    );
    return undefined;
  }
  let log: EventLog;
  try {
    log = parseEventLog(bytesOfBase64(quote.eventLog));
  } catch (error) {
    draft.failed(error);
    return undefined;
  }
  const replayed = replayEventLog(log);
  const wrong: number[] = [];
  for (const [number, value] of valuesOf(quote)) {
    const found = replayed.get(number);
    const isReached =
      number === SYSTEM_REGISTER ||
      (found !== undefined &&
        (number === UKI_REGISTER
          ? phasesReaching(found, value) !== undefined
          : Buffer.from(found.value).equals(value)));
    if (!isReached) wrong.push(number);
  }
  if (wrong.length > 0) {
    draft.broken(`its log of events does not give ${wrong.map((number) => `PCR ${number}`).join(", ")}`, {
      ...{
        expected: statedValue(quote, wrong[0]),
        found: toHex(replayed.get(wrong[0] ?? 0)?.value ?? new Uint8Array(0)),
      },
    });
    return undefined;
  }
  draft.fact(`${log.events.length} events of the log give its registers; ${programs.length} programs are known`);
  return log;
}

function statedValue({ registers }: EvidenceQuote, wanted: number | undefined): string {
  return registers.find(({ number }) => number === wanted)?.value ?? "";
}

/**
 * A public key as it was written when it was pinned.
 * @returns SubjectPublicKeyInfo in DER
 * @throws SealrootError `corrupt` for a file that is no public key
 */
export function pinnedKey(pem: Uint8Array, path: string): Uint8Array {
  const text = Buffer.from(pem).toString("latin1");
  try {
    if (!text.startsWith("-----BEGIN PUBLIC KEY-----")) throw new Error("it is not a PEM block PUBLIC KEY");
    return createPublicKey(text).export({ type: "spki", format: "der" });
  } catch (error) {
    throw new SealrootError(
      "corrupt",
      `Cannot read the attestation key ${path}: it is not a public key in PEM`,
      { path },
      error,
    );
  }
}
