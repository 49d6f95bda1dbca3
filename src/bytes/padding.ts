/** What fills up the end of a field or a section. */

const NUL = 0;
const LINE_FEED = 0x0a;

/**
 * The bytes without the NULs and line feeds at their end. From the end, as a pattern such as `\0+$` is tried again at every NUL of a
 * run further in front, which takes minutes for a hostile megabyte.
 */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === NUL || bytes[end - 1] === LINE_FEED)) end--;
  return bytes.subarray(0, end);
}
