/** Evidence out of what a verification found and had in hand. */

import { toHex } from "../bytes/index.ts";
import { encodeSignatureLists } from "../efi/index.ts";
import type { FirmwareVariables } from "../host/index.ts";
import { attestationKeyPem, type TpmChannel, takeQuote } from "../tpm/index.ts";
import { allLinks, type Materials, type TargetKind, type VerifyReport } from "../verify/index.ts";
import { programEvidence } from "./collect-program.ts";
import { layersOf } from "./documents.ts";
import { base64Of, bindingOf, type Evidence, FORMAT } from "./evidence.ts";
import { QUOTED_REGISTERS } from "./registers.ts";

/** Who makes it, and when. */
export interface Maker {
  readonly madeBy: string;
  readonly madeAt: Date;
}

/** What only the system that runs can say. */
export interface RunningParts {
  /** Undefined without UEFI. */
  readonly firmware: FirmwareVariables | undefined;
  readonly disk: Materials["disk"];
}

/**
 * Without a quote: whoever gives it vouches for it.
 *
 * @param report of a disk, an image, a program or the system that runs; of evidence none is made
 * @param running of the system that runs
 */
export async function collectEvidence(
  report: VerifyReport,
  materials: Materials,
  { madeBy, madeAt }: Maker,
  running?: RunningParts,
): Promise<Evidence> {
  const { source } = materials;
  const disk = running === undefined ? materials.disk : running.disk;
  return {
    format: FORMAT,
    madeBy,
    madeAt: madeAt.toISOString(),
    target: { kind: kindOf(report.kind), name: report.target },
    verdict: report.state,
    links: [...allLinks(report.links)].map(({ name, subject, state, by }) => ({
      name,
      subject,
      state,
      by: by ?? null,
    })),
    source:
      source === undefined
        ? null
        : {
            reference: source.reference,
            manifestDigest: source.manifestDigest,
            manifest: base64Of(source.manifestBytes),
            config: base64Of(source.configBytes),
            layers: layersOf(source.manifestBytes, source.configBytes),
          },
    softwareLists: materials.softwareLists.map((item) => ({ ...item })),
    images: materials.namedImages().map(({ id, algorithm, rule }) => ({ id, algorithm, rule: rule ?? null })),
    programs: await Promise.all(distinct(materials.programs).map(programEvidence)),
    keys: keysOf(materials, running?.firmware),
    disk:
      disk === undefined
        ? null
        : {
            guid: disk.diskGuid,
            partitions: disk.partitions.map(({ number, name, typeGuid, guid, sizeBytes }) => ({
              ...{ number, name, typeGuid, guid, sizeBytes },
            })),
          },
    quote: null,
  };
}

function kindOf(kind: TargetKind): Evidence["target"]["kind"] {
  if (kind !== "evidence") return kind;
  throw new Error("evidence of evidence is not made");
}

/** One UKI may be started by several entries. */
function distinct(programs: Materials["programs"]): Materials["programs"] {
  return programs.filter(({ path }, index) => programs.findIndex((other) => other.path === path) === index);
}

function keysOf({ databases }: Materials, firmware: FirmwareVariables | undefined): Evidence["keys"] {
  const ofFirmware =
    firmware === undefined
      ? []
      : [
          {
            ...{ name: "the keys of this machine", PK: base64Of(firmware.PK), KEK: base64Of(firmware.KEK) },
            ...{ db: base64Of(firmware.db), dbx: base64Of(firmware.dbx) },
          },
        ];
  const others = databases.filter(({ name }) => !ofFirmware.some((known) => known.name === name));
  return [
    ...ofFirmware,
    ...others.map(({ name, allowed, forbidden }) => ({
      ...{ name, PK: null, KEK: null },
      ...{ db: base64Of(encodeSignatureLists(allowed)), dbx: base64Of(encodeSignatureLists(forbidden)) },
    })),
  ];
}

export interface QuoteRequest {
  readonly channel: TpmChannel;
  /** Lower-case hex. */
  readonly nonce: string;
  /** Undefined when it could not be read. */
  readonly eventLog: Uint8Array | undefined;
}

/**
 * Has the TPM vouch for evidence and for what was booted.
 *
 * @returns the evidence with the quote, and the key that signed as PEM, for whoever pins it
 * @throws SealrootError as takeQuote
 */
export async function quoteEvidence(
  evidence: Evidence,
  { channel, nonce, eventLog }: QuoteRequest,
): Promise<{ readonly evidence: Evidence; readonly attestationKeyPem: string }> {
  const unsigned = (publicArea: Uint8Array, values: ReadonlyMap<number, Uint8Array>) => ({
    nonce,
    attestationKey: base64Of(publicArea),
    registers: [...values].map(([number, value]) => ({ number, value: toHex(value) })),
    eventLog: eventLog === undefined ? null : base64Of(eventLog),
  });
  const { key, values, quote } = await takeQuote(channel, QUOTED_REGISTERS, ({ publicArea }, read) =>
    bindingOf({ ...evidence, quote: unsigned(publicArea, read) }),
  );
  const answer = { attest: base64Of(quote.attest), signature: base64Of(quote.signature) };
  return {
    evidence: { ...evidence, quote: { ...unsigned(key.publicArea, values), ...answer } },
    attestationKeyPem: attestationKeyPem(key),
  };
}
