/** The headers Range and Content-Range (RFC 9110 section 14). */
import { SealrootError } from "../errors/index.ts";
import type { ByteRange } from "../oci/index.ts";

/** `bytes=0-9,20-29`: inclusive ends, as the protocol has them. */
export function rangeHeader(ranges: readonly ByteRange[]): string {
  return `bytes=${ranges.map(({ start, end }) => `${start}-${end - 1}`).join(",")}`;
}

/**
 * Reads `bytes 0-9/100` or `bytes 0-9/*`.
 * @param blobBytes the length the whole must have
 * @throws SealrootError `corrupt` for anything else, or a range that is not in a blob of this length
 */
export function parseContentRange(header: string | undefined, blobBytes: number): ByteRange {
  const match = /^bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(header?.trim() ?? "");
  const [start, last] = [Number(match?.[1]), Number(match?.[2])];
  const isOfBlob = match?.[3] === "*" || Number(match?.[3]) === blobBytes;
  if (isOfBlob && start <= last && last < blobBytes) return { start, end: last + 1 };
  const what = `Cannot read part of a blob: Content-Range is "${header ?? ""}" of a blob of ${blobBytes} bytes`;
  throw new SealrootError("corrupt", what, { actual: header ?? "" });
}
