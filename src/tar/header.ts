/**
 * The 512-byte header block: where its fields lie and how they are read (POSIX.1-2017, pax, "ustar Interchange
 * Format"; GNU tar manual, "Basic Tar Format").
 */
import { type ByteString, byteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { readNumber, readOctal } from "./number.ts";

/** Everything in a tar stream is padded to blocks of this size. */
export const BLOCK_BYTES = 512;

/** Byte ranges of the header fields, half-open (POSIX.1-2017, pax, table "ustar Header Block"). */
export const FIELD = {
  name: [0, 100],
  mode: [100, 108],
  uid: [108, 116],
  gid: [116, 124],
  size: [124, 136],
  mtime: [136, 148],
  checksum: [148, 156],
  typeFlag: [156, 157],
  linkName: [157, 257],
  magic: [257, 263],
  version: [263, 265],
  deviceMajor: [329, 337],
  deviceMinor: [337, 345],
  prefix: [345, 500],
  // Where ustar has the prefix (GNU tar manual, "Basic Tar Format", struct oldgnu_header).
  gnuAccessTime: [345, 357],
  gnuChangeTime: [357, 369],
} as const satisfies Record<string, readonly [number, number]>;

/** Which header this is; extension headers count only in the two younger forms (spec/oci.md 3). */
export type HeaderForm = "v7" | "ustar" | "gnu";

/** One header block, fields as they stand in it; no extension header has been applied. */
export interface TarHeader {
  readonly form: HeaderForm;
  /** The type flag as one character; NUL reads as "0". */
  readonly typeFlag: string;
  /** The name, behind the prefix where the form has one. */
  readonly path: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  /** 0..2^32-1 */
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: bigint;
  /** Nanoseconds since the epoch, of the GNU form only; undefined where the field is empty or no number. */
  readonly accessTimeNs: bigint | undefined;
  readonly changeTimeNs: bigint | undefined;
  /** Absent in the oldest form. */
  readonly device: { readonly major: number; readonly minor: number } | undefined;
}

/** True when the 512 bytes at `start` are all zero: half of an end-of-archive marker. */
export function isZeroBlock(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at < start + BLOCK_BYTES; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** The unsigned sum of the header's bytes, its checksum field counted as spaces (POSIX.1-2017, pax, "chksum"). */
export function headerChecksum(bytes: Uint8Array, start: number): number {
  let sum = 8 * 0x20;
  const fieldStart = start + FIELD.checksum[0];
  const fieldEnd = start + FIELD.checksum[1];
  for (let at = start; at < fieldStart; at++) sum += bytes[at] as number;
  for (let at = fieldEnd; at < start + BLOCK_BYTES; at++) sum += bytes[at] as number;
  return sum;
}

function textField(bytes: Uint8Array, start: number, field: readonly [number, number]): ByteString {
  const end = start + field[1];
  const nul = bytes.indexOf(0, start + field[0]);
  return byteString(bytes, start + field[0], nul === -1 || nul > end ? end : nul);
}

function formOf(bytes: Uint8Array, start: number): HeaderForm {
  const magic = byteString(bytes, start + FIELD.magic[0], start + FIELD.version[1]);
  if (magic === "ustar\0" + "00") return "ustar";
  return magic === "ustar  \0" ? "gnu" : "v7";
}

/**
 * Reads the header block at `start`, which must not be a zero block.
 *
 * @param streamOffset where the block lies in the tar stream, for errors
 * @throws SealrootError `corrupt` for a wrong checksum or a field that is not a number
 */
export function readHeader(bytes: Uint8Array, start: number, streamOffset: number): TarHeader {
  const field = (range: readonly [number, number]) => bytes.subarray(start + range[0], start + range[1]);
  const stated = readOctal(field(FIELD.checksum), "checksum", streamOffset);
  const computed = headerChecksum(bytes, start);
  if (stated !== computed) {
    throw corrupt("Cannot read tar stream: header checksum is wrong", {
      offset: streamOffset,
      expected: String(stated),
      actual: String(computed),
    });
  }
  const form = formOf(bytes, start);
  const name = textField(bytes, start, FIELD.name);
  const prefix = form === "ustar" ? textField(bytes, start, FIELD.prefix) : "";
  const typeByte = bytes[start + FIELD.typeFlag[0]] as number;
  const size = readNumber(field(FIELD.size), "size", streamOffset);
  if (size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw corrupt(`Cannot read tar stream: entry size ${size} is out of range`, { offset: streamOffset });
  }
  return {
    form,
    typeFlag: typeByte === 0 ? "0" : String.fromCharCode(typeByte),
    path: prefix === "" ? name : (`${prefix}/${name}` as ByteString),
    linkName: textField(bytes, start, FIELD.linkName),
    mode: Number(readNumber(field(FIELD.mode), "mode", streamOffset) & 0xffff_ffffn),
    uid: truncateTo32Bits(readNumber(field(FIELD.uid), "uid", streamOffset)),
    gid: truncateTo32Bits(readNumber(field(FIELD.gid), "gid", streamOffset)),
    sizeBytes: Number(size),
    mtimeSeconds: readNumber(field(FIELD.mtime), "mtime", streamOffset),
    accessTimeNs: form === "gnu" ? readOptionalTime(field(FIELD.gnuAccessTime)) : undefined,
    changeTimeNs: form === "gnu" ? readOptionalTime(field(FIELD.gnuChangeTime)) : undefined,
    device:
      form === "v7"
        ? undefined
        : readDevice(field(FIELD.deviceMajor), field(FIELD.deviceMinor), typeByte, streamOffset),
  };
}

/** GNU tar leaves the field empty unless told otherwise; other writers may have put anything there. */
function readOptionalTime(field: Uint8Array): bigint | undefined {
  if (field[0] === 0) return undefined;
  try {
    return readNumber(field, "time", 0) * 1_000_000_000n;
  } catch {
    return undefined;
  }
}

/** Owner numbers keep their low 32 bits (spec/oci.md 3). */
export function truncateTo32Bits(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/** Device numbers matter for types 3 and 4 only; other entries may carry rubbish there. */
function readDevice(major: Uint8Array, minor: Uint8Array, typeByte: number, streamOffset: number) {
  if (typeByte !== 0x33 && typeByte !== 0x34) return undefined;
  return {
    major: readOctal(major, "device major", streamOffset),
    minor: readOctal(minor, "device minor", streamOffset),
  };
}
