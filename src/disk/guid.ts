/** GUIDs: their text, their bytes in a partition table, and names derived from a seed so that equal inputs give equal disks. */
import { createHash } from "node:crypto";
import { ByteCursor, fromHex, toHex } from "../bytes/index.ts";

/** Length of a GUID in bytes. */
export const GUID_BYTES = 16;

/**
 * A GUID that depends on nothing but the seed and the name, in the version 8 form of RFC 9562 section 5.8 ("custom"):
 * the first 16 bytes of SHA-256(seed, NUL, name) with version and variant bits set.
 *
 * @param seed what makes this disk this disk: see `install/seed.ts`
 * @param name what the GUID is for, such as "partition root"
 * @returns lower-case text, 36 characters
 */
export function deriveGuid(seed: string, name: string): string {
  const bytes = createHash("sha256").update(`${seed}\0${name}`).digest().subarray(0, GUID_BYTES);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Reads a GUID as partition tables hold it: the first three fields little-endian, the rest in order (UEFI 2.10,
 * appendix A).
 * @returns lower-case text
 */
export function readMixedEndianGuid(cursor: ByteCursor): string {
  const first = hexField(cursor.u32(), 8);
  const second = hexField(cursor.u16(), 4);
  const third = hexField(cursor.u16(), 4);
  const fourth = toHex(cursor.take(2));
  return [first, second, third, fourth, toHex(cursor.take(6))].join("-");
}

/**
 * The number in the first four bytes of a GUID: a FAT volume id that follows from the partition's GUID.
 * @param guid text of 36 characters
 */
export function volumeIdOfGuid(guid: string): number {
  const cursor = new ByteCursor(fromHex(guid.slice(0, 8)), "GUID");
  return cursor.u32();
}

function hexField(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
