/** The Distinguished Encoding Rules' framing (ITU-T X.690, 8.1 and 10.1): tags and lengths, strictly. */
import { corrupt } from "../errors/index.ts";

/** One element: `contentStart..end` is its content, all offsets from the beginning of the given bytes. */
export interface DerElement {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** Universal class, primitive (X.690 8.19). */
export const OBJECT_IDENTIFIER_TAG = 0x06;

/** Bit 6 of the tag: the content is elements (X.690 8.1.2.5). */
const CONSTRUCTED_BIT = 0x20;
/** Deepest nesting accepted; a signature with a certificate chain reaches about 12. */
const DEPTH_MAX = 32;
/** Longest length field accepted: three bytes count 16 MiB. */
const LENGTH_FIELD_BYTES_MAX = 3;

/**
 * Reads the tag and length at `offset`.
 *
 * Refuses what DER does not allow: indefinite or non-minimal lengths (X.690 10.1), content past `limit`; and what
 * certificates and CMS never use: tag numbers above 30.
 * @throws SealrootError `corrupt`
 */
export function readDerElement(bytes: Uint8Array, offset: number, what: string, limit = bytes.length): DerElement {
  const fail = (found: string) => corrupt(`Cannot parse ${what}: ${found} at offset ${offset}`, { offset });
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || offset + 2 > limit) throw fail("DER element cut short");
  if ((tag & 0x1f) === 0x1f) throw fail("DER tag number above 30");
  if (first < 0x80) return bounded(first, offset + 2);
  const lengthBytes = first & 0x7f;
  if (lengthBytes === 0) throw fail("indefinite length");
  if (lengthBytes > LENGTH_FIELD_BYTES_MAX) throw fail("DER length above 16 MiB");
  let length = 0;
  for (const byte of bytes.subarray(offset + 2, offset + 2 + lengthBytes)) length = length * 256 + byte;
  if (length < 0x80 || length < 256 ** (lengthBytes - 1)) throw fail("non-minimal DER length");
  return bounded(length, offset + 2 + lengthBytes);

  function bounded(length: number, contentStart: number): DerElement {
    const end = contentStart + length;
    if (end > limit) throw fail(`DER element of ${length} bytes runs past its container`);
    return { tag: tag ?? 0, start: offset, contentStart, end };
  }
}

/**
 * Checks that `bytes` is exactly one element and that every nested length fits its container.
 *
 * The ASN.1 library that then reads the values is lenient; this first makes the framing unambiguous.
 * @throws SealrootError `corrupt`
 */
export function checkDer(bytes: Uint8Array, what: string): DerElement {
  const outer = readDerElement(bytes, 0, what);
  if (outer.end !== bytes.length) {
    throw corrupt(`Cannot parse ${what}: ${bytes.length - outer.end} bytes follow the DER element`, {
      offset: outer.end,
    });
  }
  const containerEnds: number[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    while (containerEnds.at(-1) === offset) containerEnds.pop();
    const element = readDerElement(bytes, offset, what, containerEnds.at(-1) ?? bytes.length);
    if ((element.tag & CONSTRUCTED_BIT) === 0) {
      offset = element.end;
      continue;
    }
    containerEnds.push(element.end);
    if (containerEnds.length > DEPTH_MAX) {
      throw corrupt(`Cannot parse ${what}: nested deeper than ${DEPTH_MAX} levels`, { offset });
    }
    offset = element.contentStart;
  }
  return outer;
}

/** The content of the one element that `bytes` is. */
export function derContent(bytes: Uint8Array, what: string): Uint8Array {
  const element = readDerElement(bytes, 0, what);
  return bytes.subarray(element.contentStart, element.end);
}
