/** Tar streams made by hand, header by header. */
import { byteStringOfText } from "../../src/bytes/index.ts";
import { encodeTarHeader, tarPadding } from "../../src/tar/index.ts";

export const FILE = { kind: "file", mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 5n } as const;

/** An ordinary file. */
export function file(path: string, body: Uint8Array): Buffer {
  const header = encodeTarHeader({ ...FILE, path: byteStringOfText(path), sizeBytes: body.length });
  return Buffer.concat([header, body, tarPadding(body.length)]);
}

/** A header block with fields set by hand and the checksum made right. */
export function block(
  fields: { [offset: number]: string | Uint8Array },
  base: Uint8Array = file("x", Buffer.alloc(0)),
): Buffer {
  const bytes = Buffer.from(base.subarray(0, 512));
  for (const [offset, value] of Object.entries(fields))
    bytes.set(Buffer.from(value as string, "latin1"), Number(offset));
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

/** An x, g, L or K header with its body. */
export function extension(flag: string, body: Uint8Array): Buffer {
  const size = `${body.length.toString(8).padStart(11, "0")}\0`;
  return Buffer.concat([block({ 124: size, 156: flag }), body, tarPadding(body.length)]);
}

/** An x header. @param records whole, with their lengths */
export const pax = (...records: string[]) => extension("x", Buffer.from(records.join(""), "latin1"));

/** One record of a PAX header; its length counts its own digits. */
export function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}${rest}`.length !== length) length++;
  return `${length}${rest}`;
}

/** A directory. */
export function directory(path: string): Uint8Array {
  return encodeTarHeader({ ...FILE, kind: "directory", mode: 0o755, path: byteStringOfText(path) });
}
