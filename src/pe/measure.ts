/** What systemd-stub and systemd measure of a UKI into PCR 11 (systemd-measure(1), systemd-stub(7); spec/boot-chain.md F). */
import {
  formatPcrSignatures,
  PCR,
  type PcrBank,
  type PcrPolicy,
  PcrRegister,
  type PcrSignatures,
  pcrPolicyDigest,
  phasesOfPath,
} from "../tpm/index.ts";
import { findSection, type PeImage, sectionContent } from "./image.ts";
import { addSections } from "./sections.ts";

/** In this order, whatever their order in the file; `.pcrsig` is never measured (systemd, src/fundamental/uki.h). */
const MEASURED = [
  ...[".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"],
  ...[".profile", ".dtbauto", ".hwids", ".efifw"],
];

/** A section that systemd-stub measures: its name with a NUL, then its content. */
export interface MeasuredSection {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * The sections of a UKI that are measured, in the order in which they are.
 * @throws SealrootError `unsupported` for a section that is there several times: profiles are not measured here
 */
export function measuredSections(image: PeImage): MeasuredSection[] {
  return MEASURED.flatMap((name) => {
    const section = findSection(image, name);
    // A section without content is none to the stub (systemd, src/boot/pe.h, PE_SECTION_VECTOR_IS_SET()).
    return section === undefined || section.virtualSizeBytes === 0
      ? []
      : [{ name, content: sectionContent(image, section) }];
  });
}

/**
 * The values that PCR 11 has when a boot with this UKI has reached each of these phases.
 *
 * @param phasePaths the phases measured so far, such as `enter-initrd:leave-initrd`; empty right after the stub
 * @throws SealrootError as {@link measuredSections}
 */
export function expectedUkiPcrs(image: PeImage, bank: PcrBank, phasePaths: readonly string[]): Uint8Array[] {
  const stub = new PcrRegister(bank);
  for (const { name, content } of measuredSections(image)) stub.measure(Buffer.from(`${name}\0`)).measure(content);
  return phasePaths.map((path) => {
    const register = stub.copy();
    for (const phase of phasesOfPath(path)) register.measure(Buffer.from(phase));
    return register.value;
  });
}

/** A policy for PCR 11, and the phase at which it holds. */
export interface UkiPolicy extends PcrPolicy {
  readonly phasePath: string;
}

/**
 * The policies to be signed for a UKI, in the order of systemd-measure: every phase in every bank.
 * @throws SealrootError as {@link expectedUkiPcrs}
 */
export function ukiPolicies(image: PeImage, banks: readonly PcrBank[], phasePaths: readonly string[]): UkiPolicy[] {
  const values = banks.map((bank) => ({ bank, values: expectedUkiPcrs(image, bank, phasePaths) }));
  return phasePaths.flatMap((phasePath, index) =>
    values.map(({ bank, values: ofBank }) => ({
      ...{ phasePath, pcr: PCR.uki, bank },
      digest: pcrPolicyDigest(PCR.uki, bank, ofBank[index] ?? new Uint8Array(0)),
    })),
  );
}

/** The UKI with signed policies. They are not measured, so they come last. @param uki unsigned */
export function withPcrSignatures(uki: Uint8Array, signatures: PcrSignatures): Uint8Array {
  return addSections(uki, [{ name: ".pcrsig", content: Buffer.from(formatPcrSignatures(signatures)) }]);
}
