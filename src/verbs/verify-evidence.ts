/** The part of `sealroot verify` that makes evidence of what it has found, or judges evidence. */
import { asSealrootError, SealrootError } from "../errors/index.ts";
import type { Evidence, RunningParts } from "../evidence/index.ts";
import type { Materials, VerifyOptions, VerifyReport } from "../verify/index.ts";
import { buildTime } from "./shared/build-time.ts";
import type { Invocation, OptionSpecification } from "./shared/command.ts";
import { writeText } from "./shared/output-file.ts";

export const EVIDENCE_OPTIONS = [
  {
    flags: "--evidence <FILE>",
    summary: "also write the result and what it is about as one document for somebody else",
    excludes: ["check-evidence"],
  },
  { flags: "--check-evidence <FILE>", summary: "judge this evidence, alone or beside TARGET" },
  {
    flags: "--nonce <NONCE>",
    summary:
      "hex digits or a text that the TPM's quote of the evidence must be about; with --evidence it needs --booted",
  },
  {
    flags: "--attestation-key <FILE>",
    summary: "public key of the TPM: written with --evidence, and the one that must have signed with --check-evidence",
  },
] as const satisfies readonly OptionSpecification[];

/** What was asked for. */
export interface EvidenceChoice {
  /** Where evidence is to be written. */
  readonly made: string | undefined;
  /** Which evidence is judged. */
  readonly checked: string | undefined;
  /** Lower-case hex. */
  readonly nonce: string | undefined;
  readonly attestationKey: string | undefined;
  /** Files that will be written, and what they are for messages. */
  readonly outputs: readonly (readonly [path: string | undefined, what: string])[];
}

/** Verifies something; of the system that runs also what only it can say. */
export type Verification = (
  options: VerifyOptions,
) => Promise<{ readonly report: VerifyReport; readonly running?: RunningParts }>;

type BootedOption = { readonly flags: "--booted"; readonly summary: string };

/** @throws SealrootError `usage` for options that do not fit each other */
export function evidenceChoice(
  invocation: Invocation<readonly [...typeof EVIDENCE_OPTIONS, BootedOption]>,
): EvidenceChoice {
  const made = invocation.option("evidence");
  const checked = invocation.option("check-evidence");
  const nonce = invocation.option("nonce");
  const attestationKey = invocation.option("attestation-key");
  if (made === undefined && checked === undefined && (nonce ?? attestationKey) !== undefined) {
    const option = nonce === undefined ? "--attestation-key" : "--nonce";
    throw new SealrootError("usage", `Cannot use ${option}: no evidence is made or judged`, {
      hint: "give --evidence FILE, or --check-evidence FILE",
    });
  }
  if (made !== undefined && nonce !== undefined && !invocation.flag("booted")) {
    throw new SealrootError("usage", "Cannot use --nonce: only the system that runs can ask its TPM", {
      hint: "give --booted",
    });
  }
  if (made !== undefined && attestationKey !== undefined && nonce === undefined) {
    throw new SealrootError("usage", "Cannot write the attestation key: without --nonce the TPM is not asked", {
      hint: "give --nonce",
    });
  }
  const outputs = [
    [made, "evidence"],
    [made === undefined ? undefined : attestationKey, "attestation key"],
  ] as const;
  return { made, checked, nonce: nonce === undefined ? undefined : nonceOf(nonce), attestationKey, outputs };
}

/**
 * Hex digits in pairs, or any other text as UTF-8, as lower-case hex.
 * @throws SealrootError `usage` for none, and above 64 bytes
 */
function nonceOf(given: string): string {
  const nonce = /^(?:[0-9a-f]{2})+$/i.test(given) ? given.toLowerCase() : Buffer.from(given, "utf8").toString("hex");
  if (nonce.length > 0 && nonce.length <= 128) return nonce;
  throw new SealrootError("usage", `Cannot use the nonce: it has ${nonce.length / 2} bytes, 1 to 64 are wanted`, {
    hint: "openssl rand -hex 32 makes one",
  });
}

/** @param verification of the target; undefined when only evidence is judged */
export async function reportWithEvidence(
  choice: EvidenceChoice,
  options: VerifyOptions,
  verification: Verification | "" | undefined,
): Promise<VerifyReport> {
  if (choice.checked !== undefined) return await judged(choice, choice.checked, options, verification || undefined);
  if (!verification) throw new Error("there is a target, or evidence");
  if (choice.made === undefined) return (await verification(options)).report;
  return await made(choice, choice.made, options, verification);
}

async function made(
  { nonce, attestationKey }: EvidenceChoice,
  path: string,
  options: VerifyOptions,
  verification: Verification,
): Promise<VerifyReport> {
  const [{ evidenceText, quoteEvidence }, { readMeasurementLog, TpmDevice }] = await Promise.all([
    import("../evidence/index.ts"),
    import("../platform/index.ts"),
  ]);
  // Before the work, which takes minutes.
  await using channel = nonce === undefined ? undefined : await TpmDevice.open();
  const { report, evidence } = await collected(options, verification);
  let document = evidence;
  if (channel !== undefined && nonce !== undefined) {
    const quoted = await quoteEvidence(evidence, { channel, nonce, eventLog: readMeasurementLog() });
    document = quoted.evidence;
    if (attestationKey !== undefined) await writeText(attestationKey, "attestation key", [quoted.attestationKeyPem]);
  }
  await writeText(path, "evidence", [evidenceText(document)]);
  return report;
}

async function collected(
  options: VerifyOptions,
  verification: Verification,
): Promise<{ readonly report: VerifyReport; readonly evidence: Evidence }> {
  const [{ collectEvidence }, { programVersion }, verify] = await Promise.all([
    import("../evidence/index.ts"),
    import("../platform/index.ts"),
    import("../verify/index.ts"),
  ]);
  const materials: Materials = new verify.Materials();
  const { report, running } = await verification({ ...options, materials });
  const maker = { madeBy: `sealroot ${programVersion()}`, madeAt: buildTime() };
  return { report, evidence: await collectEvidence(report, materials, maker, running) };
}

async function judged(
  { nonce, attestationKey }: EvidenceChoice,
  path: string,
  options: VerifyOptions,
  verification: Verification | undefined,
): Promise<VerifyReport> {
  const [{ checkEvidence, EVIDENCE_MAX_BYTES, pinnedKey, readEvidence }, { readBoundedFile }] = await Promise.all([
    import("../evidence/index.ts"),
    import("../platform/index.ts"),
  ]);
  const evidence = readEvidence(await readFile(path, EVIDENCE_MAX_BYTES), path);
  const pinned =
    attestationKey === undefined ? undefined : pinnedKey(await readFile(attestationKey, KEY_MAX_BYTES), attestationKey);
  // What is demanded is demanded of the evidence.
  const atHand =
    verification &&
    (await collected({ ...options, policy: (await import("../verify/index.ts")).NO_POLICY }, verification));
  const { keys, policy } = options;
  return await checkEvidence(path, evidence, { keys, policy, nonce, attestationKey: pinned, atHand: atHand?.evidence });

  async function readFile(name: string, limitBytes: number): Promise<Uint8Array> {
    try {
      return await readBoundedFile(name, limitBytes);
    } catch (error) {
      throw asSealrootError(error, `Cannot read ${name}`, { path: name });
    }
  }
}

const KEY_MAX_BYTES = 64 << 10;
