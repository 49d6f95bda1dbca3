/** Numbers in tar headers: octal text, or base-256 when the top bit of the field is set (GNU tar manual, "Extensions"). */
import { byteString, displayText } from "../bytes/index.ts";
import { type TarPlace, tarError } from "./place.ts";

const SPACE = 0x20;

/**
 * Reads octal text: cut at the first NUL, white space trimmed, empty means 0 (spec/oci.md 3).
 * @throws SealrootError `corrupt` for any other character
 */
export function readOctal(field: Uint8Array, name: string, place: TarPlace): number {
  let start = 0;
  let end = field.indexOf(0);
  if (end === -1) end = field.length;
  while (start < end && isWhiteSpace(field[start] as number)) start++;
  while (end > start && isWhiteSpace(field[end - 1] as number)) end--;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (field[at] as number) - 0x30;
    if (digit < 0 || digit > 7) {
      const text = displayText(byteString(field, start, end));
      throw tarError(place, `${name} "${text}" is not an octal number`);
    }
    value = value * 8 + digit;
  }
  return value;
}

function isWhiteSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 0x09 && byte <= 0x0d);
}

/**
 * Reads a number of either form. In base-256 only the low 64 bits count, as two's complement, so negative times come
 * out right (spec/oci.md 3, vector 12).
 */
export function readNumber(field: Uint8Array, name: string, place: TarPlace): bigint {
  if (!isBase256(field)) return BigInt(readOctal(field, name, place));
  return BigInt.asIntN(64, base256(field));
}

function isBase256(field: Uint8Array): boolean {
  return ((field[0] ?? 0) & 0x80) !== 0;
}

/** The whole field as two's complement; its top bit is only the mark. */
function base256(field: Uint8Array): bigint {
  let value = 0n;
  for (const byte of field) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(8 * field.length - 1, value);
}

/**
 * Reads a length. It decides where the next header is, so what readers interpret differently is refused: digits after a
 * NUL (Go and GNU tar read them, others see an empty field), and more than 53 bits.
 *
 * @throws SealrootError `corrupt`
 */
export function readSize(field: Uint8Array, name: string, place: TarPlace): number {
  const value = isBase256(field) ? base256(field) : BigInt(readOctal(field, name, place));
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw tarError(place, `${name} ${value} is out of range`);
  if (field[0] === 0 && field.some((byte) => byte >= 0x31 && byte <= 0x37)) {
    throw tarError(place, `${name} begins with a NUL, and readers disagree about what follows`);
  }
  return Number(value);
}

/** True when `value` fits a field of `fieldBytes` as octal digits and a NUL. */
export function fitsOctal(value: bigint | number, fieldBytes: number): boolean {
  return value >= 0 && BigInt(value) < 1n << BigInt(3 * (fieldBytes - 1));
}

/** The field as octal digits with leading zeros and a final NUL. */
export function formatOctal(value: bigint | number, fieldBytes: number): string {
  return `${value.toString(8).padStart(fieldBytes - 1, "0")}\0`;
}

/** The field in base-256: big-endian two's complement with the top bit set. */
export function formatBase256(value: bigint, fieldBytes: number): Uint8Array {
  const field = new Uint8Array(fieldBytes);
  let rest = value;
  for (let at = fieldBytes - 1; at >= 0; at--) {
    field[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = (field[0] as number) | 0x80;
  return field;
}
