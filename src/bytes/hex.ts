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
  // Node stops at the first odd character and takes others for their low byte: what was read must spell the text again.
  const read = bytes.toString("hex");
  if (read !== text && read !== text.toLowerCase()) {
    throw corrupt(`Cannot read hexadecimal text: "${text.slice(0, 160)}" is not pairs of hex digits`);
  }
  return new Uint8Array(bytes);
}
