/**
 * The log of what firmware and boot programs measured, crypto-agile form (TCG PC Client Platform Firmware Profile 1.06, 10.2).
 * Nothing protects it but that its digests must give the values of the registers. Little-endian.
 */
import { createHash } from "node:crypto";
import { ByteCursor, uuidOfMixedEndian } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { PcrRegister } from "./register.ts";
import { TPM_ALG } from "./wire.ts";

/** Types of events that are looked into (Firmware Profile 1.06, 10.4.1). */
export const EVENT = {
  noAction: 0x00000003,
  separator: 0x00000004,
  variableDriverConfig: 0x80000001,
  bootServicesApplication: 0x80000003,
  gptEvent: 0x80000006,
} as const;

export interface LoggedEvent {
  readonly register: number;
  readonly type: number;
  /** Of the SHA-256 bank. */
  readonly digest: Uint8Array;
  readonly data: Uint8Array;
}

export interface EventLog {
  readonly events: readonly LoggedEvent[];
  /** Of the start-up, with which PCR 0 begins (Firmware Profile 1.06, 10.4.5.3). */
  readonly startupLocality: number;
}

/** Logs of real machines have some hundred events and 60 KB. */
export const EVENT_LOG_MAX_BYTES = 1 << 20;
const EVENTS_MAX = 10_000;
const BANKS_MAX = 16;
const DIGEST_BYTES_MAX = 64;
const SHA1_BYTES = 20;
const SHA256_BYTES = 32;
const SPEC_ID = "Spec ID Event03\0";
const STARTUP_LOCALITY = "StartupLocality\0";
/** Above this number are registers that firmware has no part in. */
const REGISTER_MAX = 23;

/**
 * Reads a log.
 * @throws SealrootError `corrupt`; `unsupported` for the old form without banks, and without a bank of SHA-256
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > EVENT_LOG_MAX_BYTES) {
    throw corrupt(`Cannot read event log: it has ${bytes.length} bytes, more than any machine's`);
  }
  const cursor = new ByteCursor(bytes, "event log");
  const digestBytes = readSpecId(cursor);
  const events: LoggedEvent[] = [];
  let startupLocality = 0;
  while (cursor.remaining > 0) {
    const event = readEvent(cursor, digestBytes);
    const { type, data } = event;
    if (type === EVENT.noAction && textAt(data, STARTUP_LOCALITY.length) === STARTUP_LOCALITY) {
      startupLocality = data[STARTUP_LOCALITY.length] ?? 0;
    }
    if (events.push(event) > EVENTS_MAX) throw corrupt(`Cannot read event log: more than ${EVENTS_MAX} events`);
  }
  return { events, startupLocality };
}

/** The first event, in the form of TPM 1.2, names the banks (Firmware Profile 1.06, 10.4.5.1). @returns bytes by algorithm */
function readSpecId(cursor: ByteCursor): ReadonlyMap<number, number> {
  const register = cursor.u32();
  const type = cursor.u32();
  cursor.skip(SHA1_BYTES);
  const data = new ByteCursor(cursor.take(cursor.u32()), "first event of the log");
  if (register !== 0 || type !== EVENT.noAction || data.remaining < SPEC_ID.length + 12) {
    throw new SealrootError(
      "unsupported",
      "Cannot read event log: it has the form of TPM 1.2, without a bank of SHA-256",
    );
  }
  if (textAt(data.take(SPEC_ID.length), SPEC_ID.length) !== SPEC_ID) {
    throw new SealrootError("unsupported", "Cannot read event log: its first event is not Spec ID Event03");
  }
  data.skip(8); // platformClass, version, errata, uintnSize
  const count = data.u32();
  if (count === 0 || count > BANKS_MAX) throw corrupt(`Cannot read event log: ${count} banks`);
  const digestBytes = new Map<number, number>();
  for (let bank = 0; bank < count; bank++) {
    const algorithm = data.u16();
    const length = data.u16();
    if (length === 0 || length > DIGEST_BYTES_MAX) throw corrupt(`Cannot read event log: digests of ${length} bytes`);
    digestBytes.set(algorithm, length);
  }
  if (digestBytes.get(TPM_ALG.sha256) !== SHA256_BYTES) {
    throw new SealrootError("unsupported", "Cannot read event log: it has no digests of SHA-256");
  }
  return digestBytes;
}

/** TCG_PCR_EVENT2 (Firmware Profile 1.06, 10.2.2). */
function readEvent(cursor: ByteCursor, digestBytes: ReadonlyMap<number, number>): LoggedEvent {
  const start = cursor.offset;
  const register = cursor.u32();
  const type = cursor.u32();
  const count = cursor.u32();
  if (register > REGISTER_MAX || count > BANKS_MAX) {
    throw corrupt(`Cannot read event log: register ${register} with ${count} digests`, { offset: start });
  }
  let digest: Uint8Array | undefined;
  for (let index = 0; index < count; index++) {
    const algorithm = cursor.u16();
    const length = digestBytes.get(algorithm);
    if (length === undefined)
      throw corrupt(`Cannot read event log: a digest of no bank`, { offset: cursor.offset - 2 });
    const bytes = cursor.take(length);
    if (algorithm === TPM_ALG.sha256) digest = bytes;
  }
  if (digest === undefined)
    throw corrupt("Cannot read event log: an event without a digest of SHA-256", { offset: start });
  return { register, type, digest, data: cursor.take(cursor.u32()) };
}

/**
 * The values that the registers have after these events: of all that firmware measures into, and of those that it does not, zeros.
 */
export function replayEventLog({ events, startupLocality }: EventLog): ReadonlyMap<number, PcrRegister> {
  const registers = new Map<number, PcrRegister>();
  for (let number = 0; number <= 15; number++) {
    registers.set(number, new PcrRegister("sha256", number === 0 ? startupLocality : 0));
  }
  for (const { register, type, digest } of events) {
    if (type !== EVENT.noAction) registers.get(register)?.extend(digest);
  }
  return registers;
}

/** A variable of the firmware that was measured (UEFI_VARIABLE_DATA, Firmware Profile 1.06, 10.2.6). */
export interface MeasuredVariable {
  readonly name: string;
  readonly data: Uint8Array;
}

/**
 * The firmware's variables of PCR 7.
 * @throws SealrootError `corrupt` for an event whose data are not what was measured
 */
export function measuredVariables({ events }: EventLog): MeasuredVariable[] {
  return events
    .filter(({ register, type }) => register === 7 && type === EVENT.variableDriverConfig)
    .map((event) => {
      requireMeasured(event, "a variable of PCR 7");
      const cursor = new ByteCursor(event.data, "measured variable");
      cursor.skip(16); // VariableName, a GUID
      const characters = cursor.size();
      const dataBytes = cursor.size();
      const name = Buffer.from(cursor.take(characters * 2)).toString("utf16le");
      return { name, data: cursor.take(dataBytes) };
    });
}

/** Authenticode digests (SHA-256) of the programs that the firmware started, in order: PCR 4. */
export function startedPrograms({ events }: EventLog): Uint8Array[] {
  return events
    .filter(({ register, type }) => register === 4 && type === EVENT.bootServicesApplication)
    .map(({ digest }) => digest);
}

/** A partition table that the firmware measured before it started something from that disk. */
export interface MeasuredTable {
  readonly diskGuid: string;
  readonly partitionGuids: readonly string[];
}

/** The GUIDs of a GPT header and of an entry (UEFI 2.10, 5.3.2 and 5.3.3). */
const DISK_GUID_OFFSET = 56;
const PARTITION_GUID_OFFSET = 16;
const GPT_HEADER_BYTES = 92;
const GPT_ENTRY_BYTES = 128;
const GUID_BYTES = 16;

/**
 * The partition tables of PCR 5 (UEFI_GPT_DATA, Firmware Profile 1.06, 10.2.7).
 * @throws SealrootError as {@link measuredVariables}
 */
export function measuredTables({ events }: EventLog): MeasuredTable[] {
  return events
    .filter(({ register, type }) => register === 5 && type === EVENT.gptEvent)
    .map((event) => {
      requireMeasured(event, "a partition table of PCR 5");
      const cursor = new ByteCursor(event.data, "measured partition table");
      const guidAt = (bytes: Uint8Array, offset: number) =>
        uuidOfMixedEndian(bytes.subarray(offset, offset + GUID_BYTES));
      const diskGuid = guidAt(cursor.take(GPT_HEADER_BYTES), DISK_GUID_OFFSET);
      const partitionGuids: string[] = [];
      for (let count = cursor.size(); count > 0; count--) {
        partitionGuids.push(guidAt(cursor.take(GPT_ENTRY_BYTES), PARTITION_GUID_OFFSET));
      }
      return { diskGuid, partitionGuids };
    });
}

/** Of these events the digest is that of the data (Firmware Profile 1.06, table 27). */
function requireMeasured({ digest, data }: LoggedEvent, what: string): void {
  const actual = createHash("sha256").update(data).digest();
  if (actual.equals(digest)) return;
  throw corrupt(`Cannot use event log: ${what} is not what was measured`, {
    expected: Buffer.from(digest).toString("hex"),
    actual: actual.toString("hex"),
  });
}

function textAt(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(length, bytes.byteLength)).toString("latin1");
}
