/**
 * What the header of a LUKS2 volume says (LUKS2 On-Disk Format Specification 1.1). Nobody vouches for it: whoever has the disk may
 * have written it, so what it says of the encryption is judged before a key is used with it.
 */
import { corrupt, SealrootError } from "../errors/index.ts";

/** What a key slot is for, by the token that names it. */
export type LuksSlotUse =
  /** systemd-cryptenroll --tpm2-device= */
  | "tpm2"
  /** systemd-cryptenroll --recovery-key */
  | "recovery"
  /** Of the installation: opened by an empty passphrase, until a TPM is enrolled. */
  | "open"
  /** Another token: FIDO2, PKCS #11. */
  | "token"
  | "passphrase";

/** In words, for people. */
export const LUKS_SLOT_TEXT: Readonly<Record<LuksSlotUse, string>> = {
  tpm2: "TPM",
  recovery: "recovery key",
  open: "an empty passphrase: no TPM is enrolled yet",
  token: "another token",
  passphrase: "passphrase",
};

export interface LuksSlot {
  readonly number: number;
  readonly use: LuksSlotUse;
}

export interface LuksVolume {
  /** In lower case, as blkid says it. */
  readonly uuid: string;
  /** As dm-crypt names it: `aes-xts-plain64`. */
  readonly cipher: string;
  readonly sectorBytes: number;
  /** Where the encrypted data begin. */
  readonly dataOffsetBytes: number;
  /** By their numbers. */
  readonly slots: readonly LuksSlot[];
}

/** The only cipher that is made and taken: with `cipher_null` a volume would give everything to whoever wrote its blocks. */
export const LUKS_CIPHER = "aes-xts-plain64";
/** PBKDF2 of slots whose secrets need no stretching, as systemd-cryptenroll(1) makes them (cryptsetup-util.c). */
export const MINIMAL_ITERATIONS = 1000;
/** Of the header of a new volume, with room for 32 key slots: what cryptsetup reserves by itself. No larger one is read. */
export const LUKS_HEADER_BYTES = 16 << 20;

/** Both magic numbers, section 2.1: of the first header, and of the second one. */
const MAGICS = ["LUKS\xba\xbe", "SKUL\xba\xbe"];
const MAGIC_BYTES = 6;
/** Where the second header may be when the first one is gone (section 2.3). */
const SECOND_OFFSETS = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000];
/** Fields of the binary header (section 2.1), big-endian. */
const FIELD = { version: 6, headerBytes: 8, sequence: 16, uuid: 168 } as const;
const UUID_FIELD_BYTES = 40;
const BINARY_HEADER_BYTES = 4096;
/** There are 32 at most (section 3.2). */
const SLOT_NUMBER = /^(?:\d|[12]\d|3[01])$/;
const SECTOR_SIZES = [512, 1024, 2048, 4096];

/**
 * Reads and judges every header that cryptsetup could take: of two, it takes the newer one that is whole.
 *
 * @param bytes from the beginning of the volume, at least as many as its headers have
 * @returns the one with the higher sequence number
 * @throws SealrootError `corrupt` without any header; `unsupported` for LUKS1; `untrusted` for a volume whose data would not be
 *   encrypted as they should be
 */
export function readLuksVolume(bytes: Uint8Array): LuksVolume {
  const found = [0, ...SECOND_OFFSETS]
    .filter((offset) => MAGICS.includes(latin1(bytes, offset, MAGIC_BYTES)))
    .map((offset) => readHeader(bytes, offset));
  const [first] = found;
  if (first === undefined) throw corrupt("Cannot read the header of the volume: there is none of LUKS2");
  return found.reduce((newest, header) => (header.sequence > newest.sequence ? header : newest), first).volume;
}

/** Whether a volume of LUKS begins here. */
export function beginsLikeLuks(bytes: Uint8Array): boolean {
  return latin1(bytes, 0, MAGIC_BYTES) === MAGICS[0];
}

function readHeader(bytes: Uint8Array, offset: number): { readonly sequence: bigint; readonly volume: LuksVolume } {
  if (offset + BINARY_HEADER_BYTES > bytes.length) throw corrupt("Cannot read the header of the volume: it ends early");
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BINARY_HEADER_BYTES);
  const version = view.getUint16(FIELD.version);
  if (version !== 2) {
    throw new SealrootError("unsupported", `Cannot use the encrypted volume: it is LUKS${version}, not LUKS2`, {
      expected: "LUKS2",
      actual: `LUKS${version}`,
    });
  }
  const headerBytes = Number(view.getBigUint64(FIELD.headerBytes));
  if (headerBytes <= BINARY_HEADER_BYTES || offset + headerBytes > bytes.length) {
    throw corrupt(`Cannot read the header of the volume: it says that it has ${headerBytes} bytes`);
  }
  const text = untilNul(latin1(bytes, offset + BINARY_HEADER_BYTES, headerBytes - BINARY_HEADER_BYTES));
  const uuid = untilNul(latin1(bytes, offset + FIELD.uuid, UUID_FIELD_BYTES)).toLowerCase();
  return { sequence: view.getBigUint64(FIELD.sequence), volume: { uuid, ...judge(parse(text)) } };
}

/** Stricter than cryptsetup's own parser, so that both read the same or this one refuses. */
function parse(text: string): Fields {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw corrupt("Cannot read the header of the volume: its metadata are no JSON");
  }
  return fields(document, "metadata");
}

function judge(metadata: Fields): Omit<LuksVolume, "uuid"> {
  const config = fields(metadata.config, "config");
  // Of a volume that is being encrypted anew or decrypted: parts of it are as they were before.
  if (config.requirements !== undefined && Object.keys(fields(config.requirements, "requirements")).length > 0) {
    throw untrusted("requirements", JSON.stringify(config.requirements), "none");
  }
  const segments = Object.entries(fields(metadata.segments, "segments"));
  const [entry] = segments;
  if (entry === undefined || segments.length !== 1) throw untrusted("number of segments", segments.length, 1);
  const segment = fields(entry[1], "segment");
  const { type, encryption, size, sector_size: sectorBytes, integrity, flags } = segment;
  if (type !== "crypt") throw untrusted("type of segment", type, "crypt");
  if (encryption !== LUKS_CIPHER) throw untrusted("cipher", encryption, LUKS_CIPHER);
  if (size !== "dynamic") throw untrusted("size", size, "dynamic");
  if (segment.iv_tweak !== "0") throw untrusted("offset of initialisation vectors", segment.iv_tweak, "0");
  if (integrity !== undefined) throw untrusted("integrity", JSON.stringify(integrity), "none");
  if (flags !== undefined) throw untrusted("flags", JSON.stringify(flags), "none");
  if (typeof sectorBytes !== "number" || !SECTOR_SIZES.includes(sectorBytes)) {
    throw untrusted("sector size", sectorBytes, SECTOR_SIZES.join(", "));
  }
  const dataOffsetBytes = typeof segment.offset === "string" ? Number(segment.offset) : Number.NaN;
  const isOffset = Number.isInteger(dataOffsetBytes) && dataOffsetBytes <= LUKS_HEADER_BYTES;
  if (!isOffset || dataOffsetBytes < BINARY_HEADER_BYTES)
    throw untrusted("offset of data", segment.offset, LUKS_HEADER_BYTES);
  return { cipher: LUKS_CIPHER, sectorBytes, dataOffsetBytes, slots: slotsOf(metadata) };
}

function slotsOf(metadata: Fields): LuksSlot[] {
  const tokens = Object.values(fields(metadata.tokens, "tokens")).map((token) => fields(token, "token"));
  return Object.entries(fields(metadata.keyslots, "keyslots"))
    .map(([number, slot]) => {
      if (!SLOT_NUMBER.test(number)) throw corrupt("Cannot read the header of the volume: a key slot has no number");
      const token = tokens.find(({ keyslots }) => Array.isArray(keyslots) && keyslots.includes(number));
      return { number: Number(number), use: useOf(token?.type, fields(slot, "keyslot")) };
    })
    .sort((a, b) => a.number - b.number);
}

function useOf(tokenType: unknown, slot: Fields): LuksSlotUse {
  if (tokenType === "systemd-tpm2") return "tpm2";
  if (tokenType === "systemd-recovery") return "recovery";
  if (tokenType !== undefined) return "token";
  const kdf = fields(slot.kdf, "kdf");
  // A passphrase that somebody thought of is stretched by far more.
  return kdf.type === "pbkdf2" && kdf.iterations === MINIMAL_ITERATIONS ? "open" : "passphrase";
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw corrupt(`Cannot read the header of the volume: ${what} is no object`);
}

function untrusted(what: string, actual: unknown, expected: string | number): SealrootError {
  const shown = typeof actual === "string" ? actual : (JSON.stringify(actual) ?? "missing");
  return new SealrootError("untrusted", `Cannot use the encrypted volume: its header has another ${what}`, {
    expected: String(expected),
    actual: shown,
    hint: "nobody signs this header, and this one was not made by an installation: do not enter the recovery key",
  });
}

/** A byte to a character; empty past the end. In pieces: an argument list has its limit. */
function latin1(bytes: Uint8Array, offset: number, length: number): string {
  let text = "";
  for (const byte of bytes.subarray(offset, offset + length)) text += String.fromCharCode(byte);
  return text;
}

function untilNul(text: string): string {
  return text.split("\0", 1)[0] ?? "";
}
