/**
 * Byte strings: file names, xattr names and link targets, which are bytes and not text.
 *
 * A ByteString is a JavaScript string in which every code unit is one byte (0..255). V8 stores it with one byte per
 * character, it works as a Map key, and the ordinary `<` orders it exactly as memcmp does, shorter prefix first. The
 * brand keeps it apart from text: the conversions below are the only ways in and out.
 */

declare const byteStringBrand: unique symbol;

/** Bytes, one per code unit. */
export type ByteString = string & { readonly [byteStringBrand]: true };

/** The bytes `start..end` (half-open) of `bytes` as a ByteString. */
export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1") as ByteString;
}

/** The UTF-8 bytes of a text as a ByteString. */
export function byteStringOfText(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

/** The bytes themselves. */
export function bytesOf(string: ByteString): Uint8Array {
  return Buffer.from(string, "latin1");
}

/** The text for a person to read: UTF-8 if it is valid, otherwise with replacement characters. Not reversible. */
export function displayText(string: ByteString): string {
  return Buffer.from(string, "latin1").toString("utf8");
}

/** Byte order: negative, zero or positive as `a` sorts before, with or after `b`. */
export function compareByteStrings(a: ByteString, b: ByteString): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
