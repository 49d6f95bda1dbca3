/** The checksum of ext4's metadata (Linux Documentation/filesystems/ext4/checksums.rst). */

/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;

/** A checksum's beginning: all bits set. ext4 never inverts the result. */
export const CRC32C_START = 0xffffffff;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value >>> 0;
});

/** Continues a CRC-32C over `bytes`; neither the beginning nor the result is inverted. */
export function crc32c(checksum: number, bytes: Uint8Array): number {
  let value = checksum;
  for (const byte of bytes) value = (value >>> 8) ^ (TABLE[(value ^ byte) & 0xff] as number);
  return value >>> 0;
}

/** As {@link crc32c} over the four bytes of a little-endian number. */
export function crc32cOfNumber(checksum: number, number: number): number {
  return crc32c(checksum, Uint8Array.of(number, number >>> 8, number >>> 16, number >>> 24));
}
