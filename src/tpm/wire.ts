/** Commands of a TPM 2.0 and their answers as bytes (TCG TPM 2.0 Library, part 1, 18; part 2; part 3). Everything is big-endian. */
import { corrupt, SealrootError } from "../errors/index.ts";

/** The longest command or answer of a TPM (PTP 1.06, 4.5.1: at least 4096; the kernel's TPM_BUFSIZE is that). */
export const TPM_MESSAGE_MAX_BYTES = 4096;

/** Something that takes a command of a TPM and gives its answer. */
export interface TpmChannel {
  transmit(command: Uint8Array): Promise<Uint8Array>;
}

/** Algorithms (part 2, 6.3). */
export const TPM_ALG = { sha256: 0x000b, null: 0x0010, ecdsa: 0x0018, ecc: 0x0023 } as const;

/** Tags (part 2, 6.9). */
const TAG_NO_SESSIONS = 0x8001;
const TAG_SESSIONS = 0x8002;
/** A password as session (part 2, 7.4); it is empty, as nobody sets one for the endorsement hierarchy or for our key. */
const PASSWORD_SESSION = 0x40000009;
/** Session handle, empty nonce, no attributes, empty password (part 1, 19.4). */
const EMPTY_PASSWORD = concat(u32(PASSWORD_SESSION), u16(0), Uint8Array.of(0), u16(0));
const HEADER_BYTES = 10;

export function u16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A TPM2B: the length in two bytes, then the bytes. */
export function sized(bytes: Uint8Array): Uint8Array {
  return concat(u16(bytes.length), bytes);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

export interface TpmCommand {
  /** TPM_CC (part 2, 6.5.2). */
  readonly code: number;
  /** In words, for errors: `quote the registers`. */
  readonly purpose: string;
  readonly handles?: readonly number[];
  /** True when the first handle needs to be authorised. */
  readonly isAuthorized: boolean;
  readonly parameters: Uint8Array;
}

export interface TpmAnswer {
  /** Undefined for a command that makes no object. */
  readonly handle: number | undefined;
  readonly parameters: TpmReader;
}

/**
 * Sends one command.
 *
 * @param givesHandle whether the answer begins with the handle of a new object
 * @throws SealrootError `failed` with the TPM's own code when it refuses; `corrupt` for an answer that is none
 */
export async function sendCommand(channel: TpmChannel, command: TpmCommand, givesHandle = false): Promise<TpmAnswer> {
  const { code, purpose, handles = [], isAuthorized, parameters } = command;
  const authorization = isAuthorized ? concat(u32(EMPTY_PASSWORD.length), EMPTY_PASSWORD) : new Uint8Array(0);
  const body = concat(...handles.map(u32), authorization, parameters);
  const tag = isAuthorized ? TAG_SESSIONS : TAG_NO_SESSIONS;
  const answer = await channel.transmit(concat(u16(tag), u32(HEADER_BYTES + body.length), u32(code), body));
  return readAnswer(answer, purpose, givesHandle);
}

function readAnswer(answer: Uint8Array, purpose: string, givesHandle: boolean): TpmAnswer {
  const reader = new TpmReader(answer, "answer of the TPM");
  const tag = reader.u16();
  const sizeBytes = reader.u32();
  const status = reader.u32();
  if (sizeBytes !== answer.length || sizeBytes > TPM_MESSAGE_MAX_BYTES) {
    throw corrupt(`Cannot read answer of the TPM: it has ${answer.length} bytes and says ${sizeBytes}`);
  }
  if (status !== 0) {
    const shown = `0x${status.toString(16).padStart(3, "0")}`;
    throw new SealrootError("failed", `Cannot ${purpose}: the TPM refuses with code ${shown}`, {
      actual: shown,
      hint: "tpm2_rc_decode of tpm2-tools says what the code means",
    });
  }
  const handle = givesHandle ? reader.u32() : undefined;
  if (tag !== TAG_SESSIONS) return { handle, parameters: reader };
  // With sessions the length of the parameters comes first; the sessions' own part follows them.
  return { handle, parameters: new TpmReader(reader.take(reader.u32()), "answer of the TPM") };
}

/** Reads consecutive big-endian fields and refuses to go past the end. */
export class TpmReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset = 0;

  /** @param what names the input in errors */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#claim(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#claim(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#claim(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#claim(8));
  }

  /** A view of the next bytes. */
  take(length: number): Uint8Array {
    const start = this.#claim(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes of a TPM2B. */
  sized(): Uint8Array {
    return this.take(this.u16());
  }

  /** @throws SealrootError `corrupt` when something is left */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw corrupt(`Cannot read ${this.#what}: ${left} bytes follow it`, { offset: this.#offset });
  }

  #claim(length: number): number {
    const start = this.#offset;
    if (start + length > this.#bytes.length) {
      throw corrupt(`Cannot read ${this.#what}: ${length} bytes wanted, ${this.#bytes.length - start} left`, {
        offset: start,
      });
    }
    this.#offset = start + length;
    return start;
  }
}
