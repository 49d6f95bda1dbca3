/** The certificates by which the firmware starts option ROMs: programs in graphics, network and storage cards, which vendors sign. */
import { certificateOf, describeCertificate } from "../cms/index.ts";
import type { SignatureEntry } from "../efi/index.ts";

/**
 * Those of Microsoft that sign option ROMs, by their SHA-256 fingerprints: of the files in PreSignedObjects/DB/Certificates of
 * github.com/microsoft/secureboot_objects. Its "Microsoft UEFI CA 2023" signs boot loaders alone.
 */
const OPTION_ROM_CERTIFICATES: ReadonlySet<string> = new Set([
  // Microsoft Corporation UEFI CA 2011
  "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507",
  // Microsoft Option ROM UEFI CA 2023
  "e5be3e64c6e66a281457ecdece0d6d0787577aad2a3a0144262c10c14ba8d8f1",
]);

/** What is missing, and what helps, for messages. */
export const OPTION_ROM_ADVICE = {
  lacking: "db has no certificate of Microsoft for option ROMs (UEFI CA 2011, Option ROM UEFI CA 2023)",
  effect: "a machine whose graphics or network card has a signed option ROM may not start with these keys",
  remedy: "sealroot keys add KEYS CERTIFICATE, and seal again",
} as const;

/** Whether option ROMs of most vendors start by the entries of a db. A vendor's own certificate is not known as one. */
export function startsOptionRoms(allowed: readonly SignatureEntry[]): boolean {
  return allowed.some(({ type, data }) => {
    if (type !== "x509") return false;
    try {
      return OPTION_ROM_CERTIFICATES.has(describeCertificate(certificateOf(data)).fingerprintSha256);
    } catch {
      // One that cannot be read starts nothing.
      return false;
    }
  });
}
