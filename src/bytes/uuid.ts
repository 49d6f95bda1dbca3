/** UUIDs (RFC 9562), which partition tables and UEFI call GUIDs: their text and their mixed-endian bytes. */
import { fromHex, toHex } from "./hex.ts";

export const UUID_BYTES = 16;

/** Lengths of the fields that are little-endian in UEFI's form; the rest is as written (UEFI 2.10, appendix A). */
const SWAPPED_FIELDS = [4, 2, 2];

/** True for 8-4-4-4-12 hex digits of either case. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** The text of 16 bytes in their order, in lower case. */
export function uuidOfBytes(bytes: Uint8Array): string {
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The text of the 16 bytes that UEFI and partition tables use. */
export function uuidOfMixedEndian(bytes: Uint8Array): string {
  return uuidOfBytes(swapped(bytes));
}

/** The 16 bytes that UEFI and partition tables use. @param text see {@link isUuid} */
export function mixedEndianUuid(text: string): Uint8Array {
  return swapped(fromHex(text.replaceAll("-", "")));
}

/** Reverses the bytes of the first three fields; its own inverse. */
function swapped(bytes: Uint8Array): Uint8Array {
  const result = Uint8Array.from(bytes);
  let start = 0;
  for (const lengthBytes of SWAPPED_FIELDS) {
    result.subarray(start, start + lengthBytes).reverse();
    start += lengthBytes;
  }
  return result;
}
