/** Whether a signed program is the one that was to be signed. */
import { SealrootError } from "../errors/index.ts";
import { type PeImage, parsePe } from "./image.ts";
import { CERTIFICATE_ALIGNMENT, DATA_DIRECTORY_BYTES, OPTIONAL } from "./layout.ts";

/**
 * Checks that signing changed nothing but what belongs to a signature: the checksum, the entry for the certificate table, and the
 * table itself behind up to 7 zeros.
 *
 * @param what names the program in errors
 * @throws SealrootError `conflict` naming the first byte or section that differs; as parsePe
 */
export function requireOnlySigned(unsigned: Uint8Array, signed: Uint8Array, what: string): void {
  const before = parsePe(unsigned, what);
  const after = parsePe(signed, `the signed file of ${what}`);
  const offset = firstDifference(before, after);
  if (offset === undefined) return;
  const section = before.sections.find(({ rawOffset, rawSizeBytes }) => {
    return offset >= rawOffset && offset < rawOffset + rawSizeBytes;
  });
  const place = section === undefined ? `at byte ${offset}` : `in section ${section.name}, at byte ${offset}`;
  throw new SealrootError("conflict", `Cannot use the signed file of ${what}: more than its signature differs`, {
    offset,
    actual: `the first difference is ${place}`,
    hint: "sign the very file that was given out",
  });
}

function firstDifference(before: PeImage, after: PeImage): number | undefined {
  const checkSum = before.optionalHeaderOffset + OPTIONAL.checkSum;
  const directory = before.certificateDirectoryOffset;
  const plain = (image: PeImage): Buffer => {
    const bytes = Buffer.from(image.bytes.subarray(0, image.unsignedEnd));
    // The same places in both when the headers are the same.
    bytes.fill(0, checkSum, checkSum + 4);
    bytes.fill(0, directory, directory + DATA_DIRECTORY_BYTES);
    return bytes;
  };
  const [old, now] = [plain(before), plain(after)];
  const common = Math.min(old.length, now.length);
  if (!old.subarray(0, common).equals(now.subarray(0, common))) {
    return old.subarray(0, common).findIndex((byte, index) => byte !== now[index]);
  }
  const [longer, shorter] = old.length > now.length ? [old, now] : [now, old];
  const rest = longer.subarray(shorter.length);
  return rest.length < CERTIFICATE_ALIGNMENT && rest.every((byte) => byte === 0) ? undefined : common;
}
