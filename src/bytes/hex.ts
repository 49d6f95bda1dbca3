/** Hexadecimal text. */
import { corrupt } from "../errors/index.ts";

/** Lower-case hex of the bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * The bytes of a hex text, either case.
 * @throws SealrootError `corrupt` for an odd length or another character
 */
export function fromHex(text: string): Uint8Array {
  const bytes = Buffer.from(text, "hex");
  // Node stops at the first bad character and uses only the low byte of others: what was read must spell the text
  // again.
  const read = bytes.toString("hex");
  if (read !== text && read !== text.toLowerCase()) {
    throw corrupt(`Cannot read hexadecimal text: "${text.slice(0, 160)}" is not pairs of hex digits`);
  }
  return new Uint8Array(bytes);
}

/** Whether the text is only lower-case hex digits; for digests, in a third of a regular expression's time. */
export function isLowerHex(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && (code < 0x61 || code > 0x66)) return false;
  }
  return true;
}
