/** Escapes of the composefs dump text (spec/erofs.md 4; composefs-dump(5)). */
import type { ByteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const SHORT_MEANINGS: Readonly<Record<string, string>> = { "\\": "\\", n: "\n", r: "\r", t: "\t" };

/** Bytes that a field cannot hold literally: all but 0x21..0x7e, and the backslash. */
const UNSAFE = /[^\x21-\x5b\x5d-\x7e]/g;
/** In names and values of xattrs `=` too, which separates the two. */
const UNSAFE_IN_XATTR = /[^\x21-\x3c\x3e-\x5b\x5d-\x7e]/g;
const ESCAPE = /\\(x[0-9a-fA-F]{2}|[\\nrt])?/g;

function escapeByte(byte: string): string {
  return SHORT_ESCAPES[byte] ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** The field's text. */
export function escapeField(value: ByteString): string {
  return value.replace(UNSAFE, escapeByte);
}

/** The text of an optional field: `-` for nothing, so the byte `-` itself is escaped. */
export function escapeOptionalField(value: ByteString | undefined): string {
  if (value === undefined || value === "") return "-";
  return value === "-" ? "\\x2d" : escapeField(value);
}

/** The text of an xattr's name or value. */
export function escapeXattrPart(value: ByteString): string {
  return value.replace(UNSAFE_IN_XATTR, escapeByte);
}

/**
 * The bytes that a field stands for.
 * @throws SealrootError `corrupt` for an unknown or truncated escape
 */
export function unescapeField(text: string): ByteString {
  if (!text.includes("\\")) return text as ByteString;
  return text.replace(ESCAPE, (whole: string, body: string | undefined) => {
    if (body === undefined) throw corrupt(`unknown or truncated escape in ${JSON.stringify(text.slice(0, 160))}`);
    if (body.length === 1) return SHORT_MEANINGS[body] ?? whole;
    return String.fromCharCode(Number.parseInt(body.slice(1), 16));
  }) as ByteString;
}
