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
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw corrupt(`Cannot read hexadecimal text: "${text.slice(0, 160)}" is not pairs of hex digits`);
  }
  return Uint8Array.from(Buffer.from(text, "hex"));
}
