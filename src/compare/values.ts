/** The fields of a node as text: exact, and the same for equal values. */
import { type ByteString, byteStringOfText, displayText, toHex } from "../bytes/index.ts";
import type { FileContent, Metadata, TreeNode } from "../tree/index.ts";

/** 1 January of the years 1 and 10000: between them years have four digits. */
const FIRST_SECOND = -62_135_596_800n;
const END_SECOND = 253_402_300_800n;
/** The value of `hard-link` of a name that shares its inode with none before it. */
export const OWN_INODE = "an inode of its own";

/** Permission bits, as in chmod(1). */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** ISO 8601 with nanoseconds if there are any; a year that has no four digits as `@SECONDS`, as in date(1). */
export function timeText({ mtimeSeconds, mtimeNanoseconds }: Metadata): string {
  const fraction = mtimeNanoseconds === 0 ? "" : `.${String(mtimeNanoseconds).padStart(9, "0")}`;
  if (mtimeSeconds < FIRST_SECOND || mtimeSeconds >= END_SECOND) return `@${mtimeSeconds}${fraction}`;
  const whole = new Date(Number(mtimeSeconds) * 1000).toISOString().slice(0, "YYYY-MM-DDThh:mm:ss".length);
  return `${whole}${fraction}Z`;
}

/** Major and minor number of the kernel's 32-bit form, new_decode_dev() of linux/kdev_t.h. */
export function deviceText(rdev: number): string {
  return `${(rdev & 0xfff00) >>> 8}:${((rdev & 0xff) | ((rdev >>> 12) & 0xfff00)) >>> 0}`;
}

export function sizeOf(content: FileContent): number {
  return content.type === "inline" ? content.bytes.length : content.sizeBytes;
}

/** Its bytes, for what lives in the image itself; else the fs-verity digest. */
export function contentText(content: FileContent): string {
  if (content.type === "inline") return bytesText(content.bytes);
  const id = content.objectId ?? "unknown";
  return content.backingPath === undefined ? id : `${id} at ${quoted(content.backingPath)}`;
}

/** An attribute's value: a label as its text, without the NUL at its end. */
export function bytesText(bytes: Uint8Array): string {
  const end = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1");
  // A value that ends with a NUL is told from one that does not by the sign for it.
  if (/^[\n\t -~]*$/.test(text)) return `${JSON.stringify(text)}${end === bytes.length ? "" : "+NUL"}`;
  return `0x${toHex(bytes)}`;
}

/** Link targets and names: their text if they are UTF-8, and every other byte as an escape. */
export function quoted(bytes: ByteString): string {
  return JSON.stringify(pathText(bytes));
}

/**
 * A path to be read: UTF-8 as it is, other bytes and control characters as `\xHH`, a backslash doubled. Two paths never
 * give one text.
 */
export function pathText(path: ByteString): string {
  const escaped = path.replace(/[^ -[\]-~\x80-\xff]/g, (byte) => (byte === "\\" ? "\\\\" : hexEscape(byte)));
  if (!/[\x80-\xff]/.test(escaped)) return escaped;
  const text = displayText(escaped as ByteString);
  // C1 controls and separators of lines are characters of valid UTF-8 too.
  const isReadable = byteStringOfText(text) === escaped && !/[\u0080-\u009f\u2028\u2029]/.test(text);
  return isReadable ? text : escaped.replace(/[\x80-\xff]/g, hexEscape);
}

function hexEscape(byte: string): string {
  return `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** What a path that is on one side only is: a directory with everything below it. */
export function entryText(node: TreeNode): string {
  if (node.kind === "file") return `file of ${bytesCount(sizeOf(node.content))}`;
  if (node.kind === "symlink") return `symlink to ${quoted(node.target)}`;
  if ("rdev" in node) return `${node.kind} ${deviceText(node.rdev)}`;
  if (node.kind !== "directory") return node.kind;
  const { names, bytes } = measure(node);
  return names === 0 ? "empty directory" : `directory with ${names} below it, ${bytesCount(bytes)}`;
}

function bytesCount(bytes: number): string {
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

/** How many names are below a node, and how many bytes the files have: each name counts. */
export function measure(node: TreeNode): { readonly names: number; readonly bytes: number } {
  let [names, bytes] = [0, 0];
  const stack = [node];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next.kind === "file") bytes += sizeOf(next.content);
    if (next.kind !== "directory") continue;
    names += next.entries.size;
    for (const child of next.entries.values()) stack.push(child);
  }
  return { names, bytes };
}
