/** What systemd-stub and systemd measure of a UKI into PCR 11 (systemd-measure(1), systemd-stub(7); spec/boot-chain.md F). */
import { createHash } from "node:crypto";
import { findSection, type PeImage, sectionContent } from "./image.ts";

/** Banks of a TPM, by the names that tools give them. */
export type PcrBank = "sha1" | "sha256" | "sha384" | "sha512";

/** The register. */
export const UKI_PCR = 11;

/** In this order, whatever their order in the file; `.pcrsig` is never measured (systemd, src/fundamental/uki.h). */
const MEASURED = [
  ...[".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"],
  ...[".profile", ".dtbauto", ".hwids", ".efifw"],
];

/**
 * The value that PCR 11 has when a boot with this UKI has reached a phase.
 *
 * @param phases the words measured so far, such as `enter-initrd`; none right after the stub
 * @throws SealrootError `unsupported` for a section that is there several times: profiles are not measured here
 */
export function expectedUkiPcr(image: PeImage, bank: PcrBank, phases: readonly string[]): Uint8Array {
  const digest = (bytes: Uint8Array) => createHash(bank).update(bytes).digest();
  let register = Buffer.alloc(digest(Buffer.alloc(0)).length);
  const extend = (bytes: Uint8Array) => {
    register = digest(Buffer.concat([register, digest(bytes)]));
  };
  for (const name of MEASURED) {
    const section = findSection(image, name);
    if (section === undefined) continue;
    extend(Buffer.from(`${name}\0`));
    extend(sectionContent(image, section));
  }
  for (const phase of phases) extend(Buffer.from(phase));
  return register;
}
