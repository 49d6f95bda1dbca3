/** EFI variables as values: attributes, the form in efivarfs, UTF-16 texts. */
import { ByteCursor } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import type { Guid } from "./guid.ts";

/** Attribute bits (UEFI 2.10, 8.2.1). */
export const VariableAttribute = {
  nonVolatile: 0x01,
  bootServiceAccess: 0x02,
  runtimeAccess: 0x04,
  timeBasedAuthenticatedWriteAccess: 0x20,
  appendWrite: 0x40,
} as const;

/** A variable's full name is its name and its vendor. */
export interface EfiVariable {
  readonly name: string;
  readonly vendor: Guid;
  /** Sum of {@link VariableAttribute} bits. */
  readonly attributes: number;
  readonly data: Uint8Array;
}

/**
 * Splits the content of a file under /sys/firmware/efi/efivars: four bytes of attributes, then the data (Linux
 * Documentation/filesystems/efivarfs.rst).
 */
export function parseEfivarfs(content: Uint8Array): { readonly attributes: number; readonly data: Uint8Array } {
  const cursor = new ByteCursor(content, "EFI variable");
  return { attributes: cursor.u32(), data: cursor.take(cursor.remaining) };
}

/** UTF-16LE with a final NUL, as names and loader texts are kept. */
export function utf16Bytes(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, "utf16le");
}

/**
 * One text, such as LoaderInfo or LoaderDevicePartUUID: UTF-16LE up to its final NUL.
 * @throws SealrootError `corrupt` when a NUL is missing or not the last character
 */
export function utf16Text(data: Uint8Array): string {
  const texts = utf16List(data);
  const [text] = texts;
  if (text !== undefined && texts.length === 1) return text;
  throw corrupt(`Cannot read text of an EFI variable: ${texts.length} texts in ${data.length} bytes, one wanted`);
}

/**
 * A list of texts, such as LoaderEntries: each UTF-16LE and ended by one NUL.
 * @throws SealrootError `corrupt` when the last NUL is missing
 */
export function utf16List(data: Uint8Array): readonly string[] {
  if (data.length === 0) return [];
  const text = data.length % 2 === 0 ? Buffer.from(data).toString("utf16le") : "";
  if (!text.endsWith("\0")) {
    throw corrupt(`Cannot read text of an EFI variable: ${data.length} bytes are not UTF-16 with a final NUL`);
  }
  return text.slice(0, -1).split("\0");
}
