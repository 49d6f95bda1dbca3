/** GUIDs of a disk, derived from a seed so that equal inputs give equal disks. */
import { createHash } from "node:crypto";
import { ByteCursor, fromHex, UUID_BYTES, uuidOfBytes } from "../bytes/index.ts";

/**
 * A GUID that depends only on the seed and the name, in the version 8 form of RFC 9562 section 5.8 ("custom"):
 * the first 16 bytes of SHA-256(seed, NUL, name) with version and variant bits set.
 *
 * @param seed what identifies this disk: image and time, for `install`
 * @param name what the GUID is for, such as "partition root"
 * @returns lower-case text, 36 characters
 */
export function deriveGuid(seed: string, name: string): string {
  const bytes = createHash("sha256").update(`${seed}\0${name}`).digest().subarray(0, UUID_BYTES);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidOfBytes(bytes);
}

/**
 * The number in the first four bytes of a GUID: a FAT volume id that follows from the partition's GUID.
 * @param guid text of 36 characters
 */
export function volumeIdOfGuid(guid: string): number {
  const cursor = new ByteCursor(fromHex(guid.slice(0, 8)), "GUID");
  return cursor.u32();
}
