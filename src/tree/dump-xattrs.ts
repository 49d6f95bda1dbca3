/** The extended attributes of a dump line (spec/erofs.md 3.6 end, 4). */
import { type ByteString, byteString, bytesOf } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { unescapeField } from "./dump-escape.ts";
import { NO_XATTRS } from "./node.ts";
import { NAME_MAX_BYTES } from "./path.ts";

const VALUE_MAX_BYTES = 65535;
/** Room for one inode's xattrs in libcomposefs: sum of name + value + 7, plus 12. */
const SPACE_MAX_BYTES = 32767;

/**
 * Interns names and values of xattrs: a label is stored once, and no name is a slice that keeps its whole line in
 * memory.
 */
export class XattrInterner {
  readonly #names = new Map<ByteString, ByteString>();
  readonly #values = new Map<ByteString, Uint8Array>();

  name(name: ByteString): ByteString {
    let own = this.#names.get(name);
    if (own === undefined) {
      own = byteString(bytesOf(name));
      this.#names.set(own, own);
    }
    return own;
  }

  value(value: ByteString): Uint8Array {
    let bytes = this.#values.get(value);
    if (bytes === undefined) {
      bytes = bytesOf(value);
      this.#values.set(byteString(bytes), bytes);
    }
    return bytes;
  }
}

/** The xattrs of a line. Of two with the same name the later wins. */
export function parseXattrs(texts: readonly string[], interner: XattrInterner): ReadonlyMap<ByteString, Uint8Array> {
  if (texts.length === 0) return NO_XATTRS;
  const xattrs = new Map<ByteString, Uint8Array>();
  let spaceBytes = 12;
  for (const text of texts) {
    const separator = text.indexOf("=");
    if (separator === -1) throw corrupt(`extended attribute ${JSON.stringify(text.slice(0, 160))} without "="`);
    const name = unescapeField(text.slice(0, separator));
    const value = unescapeField(text.slice(separator + 1));
    if (name === "") throw corrupt("an extended attribute without a name");
    if (name.length > NAME_MAX_BYTES) throw corrupt(`an extended attribute name of ${name.length} bytes, over 255`);
    if (name.includes("\0")) throw corrupt("a NUL in an extended attribute name");
    if (value.length > VALUE_MAX_BYTES) throw corrupt(`an extended attribute value of ${value.length} bytes`);
    spaceBytes += name.length + value.length + 7;
    if (spaceBytes > SPACE_MAX_BYTES) throw corrupt("extended attributes of more than 32767 bytes in all");
    xattrs.set(interner.name(name), interner.value(value));
  }
  return xattrs;
}
