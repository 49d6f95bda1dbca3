/** The Authenticode digest of an image (Windows Authenticode PE Signature Format 1.0, "Calculating the PE Image Hash"). */
import { createHash } from "node:crypto";
import type { DigestName } from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { PeImage } from "./image.ts";
import { CERTIFICATE_ALIGNMENT, DATA_DIRECTORY_BYTES, OPTIONAL } from "./layout.ts";

/**
 * Hashes everything but CheckSum, data directory 4 and the certificate table, padded with zeros to 8 bytes, as if a
 * signature followed.
 *
 * The document hashes headers and sections in file order and then whatever is left over. If sections leave gaps, some
 * bytes are missing from that hash and others enter it twice, so such images are refused; without gaps it is the whole
 * file.
 * @throws SealrootError `unsupported` for an image with gaps between its sections
 */
export function authenticodeDigest(image: PeImage, algorithm: DigestName = "sha256"): Uint8Array {
  checkNoGaps(image);
  const { bytes, certificateDirectoryOffset, unsignedEnd } = image;
  const checkSumOffset = image.optionalHeaderOffset + OPTIONAL.checkSum;
  return createHash(algorithm)
    .update(bytes.subarray(0, checkSumOffset))
    .update(bytes.subarray(checkSumOffset + 4, certificateDirectoryOffset))
    .update(bytes.subarray(certificateDirectoryOffset + DATA_DIRECTORY_BYTES, unsignedEnd))
    .update(new Uint8Array(paddingBytes(unsignedEnd)))
    .digest();
}

/** Zeros that bring `length` to the certificate table's alignment. */
export function paddingBytes(length: number): number {
  return (CERTIFICATE_ALIGNMENT - (length % CERTIFICATE_ALIGNMENT)) % CERTIFICATE_ALIGNMENT;
}

function checkNoGaps(image: PeImage): void {
  let covered = image.sizeOfHeaders;
  const sections = image.sections.filter((section) => section.rawSizeBytes > 0);
  for (const section of sections.sort((a, b) => a.rawOffset - b.rawOffset)) {
    if (section.rawOffset !== covered) {
      throw new SealrootError(
        "unsupported",
        `Cannot hash the image: ${section.rawOffset - covered} bytes before section ${section.name} belong to no section`,
        { offset: covered },
      );
    }
    covered += section.rawSizeBytes;
  }
}
