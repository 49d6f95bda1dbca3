/** struct inflate_state of ISA-L (igzip_lib.h), the same in all known versions. A version that is not here is not used. */

/** The library has no function that says its version, but the name of its file does. */
export const IGZIP_VERSIONS: ReadonlyMap<string, string> = new Map([
  // Debian 12.
  ["libisal.so.2.0.30", "2.30"],
  // Debian 13.
  ["libisal.so.2.0.31", "2.31"],
]);

/** Offsets in bytes. */
export const IGZIP_LAYOUT = {
  sizeBytes: 87_368,
  nextOut: 0,
  availOut: 8,
  nextIn: 16,
  readIn: 24,
  availIn: 32,
  readInLength: 36,
  blockState: 21_160,
  crcFlag: 21_172,
  crc: 21_176,
  /** ISAL_BLOCK_FINISH, of the values of block_state. */
  blockFinish: 5,
} as const;
