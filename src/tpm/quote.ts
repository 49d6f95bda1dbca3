/** Quotes: what a TPM signs of its registers (TCG TPM 2.0 Library, part 3, 18.4 TPM2_Quote; part 2, 10.12 attestation structures). */
import { createHash, verify } from "node:crypto";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type AttestationKey, leftPadded, withAttestationKey } from "./attestation-key.ts";
import { concat, sendCommand, sized, TPM_ALG, type TpmChannel, TpmReader, u16, u32 } from "./wire.ts";

const CC_QUOTE = 0x00000158;
const CC_PCR_READ = 0x0000017e;
/** TPM_GENERATED_VALUE: what a restricted key signs begins with it only if the TPM has made it (part 2, 6.2). */
const GENERATED = 0xff544347;
const ST_ATTEST_QUOTE = 0x8018;
/** Registers of a PC's TPM, and the bytes of a selection of them (PTP 1.06, 4.6.1). */
export const PCR_COUNT = 24;
const SELECTION_BYTES = PCR_COUNT / 8;
/** A TPM gives at most 8 digests at once (part 2, 10.9.7). */
const READ_MAX = 8;
/** Half of a signature. */
const NUMBER_BYTES = 32;
/** A register that grows between reading and quoting is read again; only userspace still measures then. */
const TRIES_MAX = 5;

/** Registers of the SHA-256 bank, by their numbers. */
export type PcrValues = ReadonlyMap<number, Uint8Array>;

/** What a TPM was asked to vouch for. */
export interface Quote {
  /** TPMS_ATTEST, the signed bytes. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

export interface QuoteClaim {
  /** {@link AttestationKey.qualifiedName} of who signed. */
  readonly signerName: Uint8Array;
  /** What the caller handed in. */
  readonly qualifyingData: Uint8Array;
  /** Milliseconds that the TPM has run, and how often it was reset: larger is later. */
  readonly clockMs: bigint;
  readonly resetCount: number;
  /** Numbers of the registers, all of the SHA-256 bank. */
  readonly registers: readonly number[];
  /** SHA-256 over their values, in the order of the numbers. */
  readonly pcrDigest: Uint8Array;
}

/**
 * Has the TPM vouch for registers of its SHA-256 bank.
 *
 * @param qualifying what is to be signed along, at most 32 bytes, made of the values that the quote will be about
 * @throws SealrootError `failed` when the TPM refuses; `conflict` when the registers never stand still
 */
export async function takeQuote(
  channel: TpmChannel,
  registers: readonly number[],
  qualifying: (key: AttestationKey, values: PcrValues) => Uint8Array,
): Promise<{ readonly key: AttestationKey; readonly values: PcrValues; readonly quote: Quote }> {
  return await withAttestationKey(channel, async (handle, key) => {
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      const values = await readRegisters(channel, registers);
      const quote = await askQuote(channel, handle, registers, qualifying(key, values));
      const claim = parseQuote(quote.attest);
      if (Buffer.from(claim.pcrDigest).equals(digestOfValues(values))) return { key, values, quote };
    }
    throw new SealrootError("conflict", "Cannot quote the registers: they change all the time", {
      hint: "ask again when the system has finished booting",
    });
  });
}

async function askQuote(
  channel: TpmChannel,
  handle: number,
  registers: readonly number[],
  qualifyingData: Uint8Array,
): Promise<Quote> {
  const { parameters } = await sendCommand(channel, {
    ...{ code: CC_QUOTE, purpose: "quote the registers", handles: [handle], isAuthorized: true },
    parameters: concat(sized(qualifyingData), u16(TPM_ALG.null), selectionOf(registers)),
  });
  const attest = parameters.sized();
  const signature = concat(
    u16(parameters.u16()),
    u16(parameters.u16()),
    sized(parameters.sized()),
    sized(parameters.sized()),
  );
  parameters.end();
  return { attest, signature };
}

/**
 * The values of registers of the SHA-256 bank.
 * @throws SealrootError `unsupported` when the TPM has no such bank
 */
export async function readRegisters(channel: TpmChannel, registers: readonly number[]): Promise<PcrValues> {
  const values = new Map<number, Uint8Array>();
  for (let at = 0; at < registers.length; at += READ_MAX) {
    const wanted = registers.slice(at, at + READ_MAX);
    const { parameters } = await sendCommand(channel, {
      ...{ code: CC_PCR_READ, purpose: "read the registers", isAuthorized: false },
      parameters: selectionOf(wanted),
    });
    parameters.u32(); // pcrUpdateCounter
    const given = readSelection(parameters);
    const count = parameters.u32();
    if (given.join() !== wanted.join() || count !== wanted.length) {
      throw new SealrootError("unsupported", "Cannot read the registers: the TPM has no SHA-256 bank of them", {
        expected: wanted.join(","),
        actual: given.join(","),
        hint: "switch the bank on in the firmware's settings of the TPM",
      });
    }
    for (const register of wanted) values.set(register, parameters.sized());
    parameters.end();
  }
  return values;
}

/** TPML_PCR_SELECTION of one bank (part 2, 10.9.7). */
function selectionOf(registers: readonly number[]): Uint8Array {
  const bits = new Uint8Array(SELECTION_BYTES);
  for (const register of registers) bits[register >> 3] = (bits[register >> 3] ?? 0) | (1 << (register & 7));
  return concat(u32(1), u16(TPM_ALG.sha256), Uint8Array.of(SELECTION_BYTES), bits);
}

/** @throws SealrootError `unsupported` for registers of another bank */
function readSelection(reader: TpmReader): number[] {
  const registers: number[] = [];
  for (let banks = reader.u32(); banks > 0; banks--) {
    const algorithm = reader.u16();
    const bits = reader.take(reader.u8());
    const numbers = Array.from({ length: bits.length * 8 }, (_, number) => number).filter(
      (number) => ((bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0,
    );
    if (numbers.length > 0 && algorithm !== TPM_ALG.sha256) {
      throw new SealrootError(
        "unsupported",
        `Cannot read the selection of registers: bank 0x${algorithm.toString(16)}`,
        {
          expected: `0x${TPM_ALG.sha256.toString(16)}`,
        },
      );
    }
    registers.push(...numbers);
  }
  return registers;
}

/**
 * Reads what was signed. {@link verifyQuote} says whether it was.
 * @throws SealrootError `corrupt`; `unsupported` for other attestations and other banks
 */
export function parseQuote(attest: Uint8Array): QuoteClaim {
  const reader = new TpmReader(attest, "quote");
  if (reader.u32() !== GENERATED) throw corrupt("Cannot read quote: a TPM has not made it", { offset: 0 });
  const type = reader.u16();
  if (type !== ST_ATTEST_QUOTE) {
    throw new SealrootError("unsupported", `Cannot read quote: it is an attestation of type 0x${type.toString(16)}`, {
      expected: `0x${ST_ATTEST_QUOTE.toString(16)}`,
    });
  }
  const signerName = reader.sized();
  const qualifyingData = reader.sized();
  const clockMs = reader.u64();
  const resetCount = reader.u32();
  reader.u32(); // restartCount
  reader.u8(); // safe
  reader.u64(); // firmwareVersion
  const registers = readSelection(reader);
  const pcrDigest = reader.sized();
  reader.end();
  return { signerName, qualifyingData, clockMs, resetCount, registers, pcrDigest };
}

/**
 * Verifies that the key signed the quote, and that it is what the quote says signed it.
 * @throws SealrootError `untrusted`; `corrupt`
 */
export function verifyQuote({ attest, signature }: Quote, key: AttestationKey): QuoteClaim {
  const claim = parseQuote(attest);
  const reader = new TpmReader(signature, "signature of the quote");
  const [algorithm, hash] = [reader.u16(), reader.u16()];
  if (algorithm !== TPM_ALG.ecdsa || hash !== TPM_ALG.sha256) {
    throw new SealrootError("unsupported", "Cannot verify the quote: its signature is not ECDSA with SHA-256");
  }
  const [r, s] = [reader.sized(), reader.sized()];
  reader.end();
  const isSigned =
    Math.max(r.length, s.length) <= NUMBER_BYTES &&
    verify(
      "sha256",
      attest,
      { key: key.publicKey, dsaEncoding: "ieee-p1363" },
      Buffer.concat([leftPadded(r, NUMBER_BYTES), leftPadded(s, NUMBER_BYTES)]),
    );
  if (!isSigned) throw new SealrootError("untrusted", "Cannot verify the quote: the attestation key did not sign it");
  if (!Buffer.from(claim.signerName).equals(key.qualifiedName)) {
    throw new SealrootError("untrusted", "Cannot verify the quote: it is by a key of another name", {
      expected: Buffer.from(key.qualifiedName).toString("hex"),
      actual: Buffer.from(claim.signerName).toString("hex"),
    });
  }
  return claim;
}

/** SHA-256 over the values of registers in the order of their numbers (part 1, 17.5). */
export function digestOfValues(values: PcrValues): Uint8Array {
  const hash = createHash("sha256");
  for (const [, value] of [...values].sort(([a], [b]) => a - b)) hash.update(value);
  return hash.digest();
}
