/**
 * The 512-byte header block: where its fields are and how they are read (POSIX.1-2017, pax, "ustar Interchange
 * Format"; GNU tar manual, "Basic Tar Format").
 */
import { type ByteString, byteString } from "../bytes/index.ts";
import { readNumber, readOctal, readSize } from "./number.ts";
import { type TarPlace, tarError } from "./place.ts";

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
  // struct star_header: a shorter prefix, then the times, and a magic of its own at the end.
  starPrefix: [345, 476],
  starAccessTime: [476, 488],
  starChangeTime: [488, 500],
  starMagic: [508, 512],
  // struct oldgnu_header and struct sparse_header: pairs of an offset and a length of 12 bytes each, then whether a
  // block of more of them follows.
  sparseRegions: [386, 482],
  sparseIsContinued: [482, 483],
  sparseRealSize: [483, 495],
  sparseMoreRegions: [0, 504],
  sparseMoreIsContinued: [504, 505],
} as const satisfies Record<string, readonly [number, number]>;

/** Which header this is. */
export type HeaderForm = "v7" | "ustar" | "gnu" | "star";

/** One header block with its raw fields; no extension header has been applied. */
export interface TarHeader {
  readonly form: HeaderForm;
  /** The type flag as one character; NUL, which older writers use for "0", stays NUL. */
  readonly typeFlag: string;
  /** The name, after the prefix if the form has one. */
  readonly path: ByteString;
  readonly linkName: ByteString;
  readonly mode: number;
  /** 0..2^32-1 */
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: bigint;
  /** Nanoseconds since the epoch, only in GNU's and star's forms; undefined if the field is empty or not a number. */
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

/** The sum made by writers with signed characters, such as SunOS's; every reader accepts it too. */
function signedChecksum(bytes: Uint8Array, start: number, unsigned: number): number {
  let sum = unsigned;
  for (let at = start; at < start + BLOCK_BYTES; at++) {
    const isChecksum = at >= start + FIELD.checksum[0] && at < start + FIELD.checksum[1];
    if (!isChecksum && (bytes[at] as number) >= 0x80) sum -= 0x100;
  }
  return sum;
}

function textField(bytes: Uint8Array, start: number, field: readonly [number, number]): ByteString {
  const end = start + field[1];
  const nul = bytes.indexOf(0, start + field[0]);
  return byteString(bytes, start + field[0], nul === -1 || nul > end ? end : nul);
}

/** Only by the magic: writers put other things than "00" into the version, and every reader sees ustar. */
function formOf(bytes: Uint8Array, start: number): HeaderForm {
  const text = ([from, to]: readonly [number, number]): string => byteString(bytes, start + from, start + to);
  if (text(FIELD.magic) === "ustar\0") return text(FIELD.starMagic) === "tar\0" ? "star" : "ustar";
  return text(FIELD.magic) === "ustar " && text(FIELD.version) === " \0" ? "gnu" : "v7";
}

const PREFIX_OF_FORM = { v7: undefined, gnu: undefined, ustar: FIELD.prefix, star: FIELD.starPrefix } as const;

/**
 * Reads the header block at `start`, which must not be a zero block.
 *
 * @param place where the block is in the tar stream, for errors; with the entry's path if an extension has it
 * @throws SealrootError `corrupt` for a wrong checksum or a field that is not a number
 */
export function readHeader(bytes: Uint8Array, start: number, place: TarPlace): TarHeader {
  const field = (range: readonly [number, number]) => bytes.subarray(start + range[0], start + range[1]);
  checkSum(bytes, start, place);
  const form = formOf(bytes, start);
  const prefixField = PREFIX_OF_FORM[form];
  const prefix = prefixField === undefined ? "" : textField(bytes, start, prefixField);
  const name = textField(bytes, start, FIELD.name);
  const path = prefix === "" ? name : (`${prefix}/${name}` as ByteString);
  const here = { ...place, path: place.path ?? path };
  const typeByte = bytes[start + FIELD.typeFlag[0]] as number;
  return {
    form,
    typeFlag: String.fromCharCode(typeByte),
    path,
    linkName: textField(bytes, start, FIELD.linkName),
    mode: Number(readNumber(field(FIELD.mode), "mode", here) & 0xffff_ffffn),
    uid: truncateTo32Bits(readNumber(field(FIELD.uid), "uid", here)),
    gid: truncateTo32Bits(readNumber(field(FIELD.gid), "gid", here)),
    sizeBytes: readSize(field(FIELD.size), "size", here),
    mtimeSeconds: readNumber(field(FIELD.mtime), "mtime", here),
    accessTimeNs: readOptionalTime(bytes, start, { gnu: FIELD.gnuAccessTime, star: FIELD.starAccessTime }, form),
    changeTimeNs: readOptionalTime(bytes, start, { gnu: FIELD.gnuChangeTime, star: FIELD.starChangeTime }, form),
    device: form === "v7" ? undefined : readDevice(field(FIELD.deviceMajor), field(FIELD.deviceMinor), typeByte, here),
  };
}

function checkSum(bytes: Uint8Array, start: number, place: TarPlace): void {
  const field = bytes.subarray(start + FIELD.checksum[0], start + FIELD.checksum[1]);
  const stated = readOctal(field, "checksum", place);
  const computed = headerChecksum(bytes, start);
  if (stated === computed || stated === signedChecksum(bytes, start, computed)) return;
  throw tarError(place, "header checksum is wrong", { expected: String(stated), actual: String(computed) });
}

/** GNU tar leaves the field empty by default; other writers may put anything there. */
function readOptionalTime(
  bytes: Uint8Array,
  start: number,
  fields: Readonly<Record<"gnu" | "star", readonly [number, number]>>,
  form: HeaderForm,
): bigint | undefined {
  if (form !== "gnu" && form !== "star") return undefined;
  const [from, to] = fields[form];
  const field = bytes.subarray(start + from, start + to);
  if (field[0] === 0) return undefined;
  try {
    return readNumber(field, "time", { offset: 0 }) * 1_000_000_000n;
  } catch {
    return undefined;
  }
}

/** Owner numbers keep their low 32 bits (spec/oci.md 3). */
export function truncateTo32Bits(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/** Parts of a device number in Linux (linux/kdev_t.h, MINORBITS 20 of 32). */
const DEVICE_MAJOR_MAX = 0xfffn;
const DEVICE_MINOR_MAX = 0xfffffn;

/**
 * Device numbers matter only for types 3 and 4; other entries may carry garbage there. Truncated to the available bits,
 * one device would become another, and 4096:0 a whiteout.
 */
function readDevice(majorField: Uint8Array, minorField: Uint8Array, typeByte: number, place: TarPlace) {
  if (typeByte !== 0x33 && typeByte !== 0x34) return undefined;
  const major = readNumber(majorField, "device major", place);
  const minor = readNumber(minorField, "device minor", place);
  if (major < 0n || major > DEVICE_MAJOR_MAX || minor < 0n || minor > DEVICE_MINOR_MAX) {
    const limits = `up to ${DEVICE_MAJOR_MAX}:${DEVICE_MINOR_MAX}`;
    throw tarError(place, `device number ${major}:${minor} does not exist on Linux`, {
      expected: limits,
      actual: `${major}:${minor}`,
    });
  }
  return { major: Number(major), minor: Number(minor) };
}
