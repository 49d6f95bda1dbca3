/**
 * pe: the Portable Executable files of the boot chain: systemd-boot, systemd-stub, kernels and the Unified Kernel Images
 * built from them; their Authenticode digest and signatures.
 *
 * Format room, pure: images in, images out. Knows `cms/` for the signature messages, but no files or key stores.
 * @module
 */
export { authenticodeDigest } from "./authenticode.ts";
export { attachSignature, detachSignatures, readSignatures } from "./certificate-table.ts";
export { type EfiArchitecture, findSection, type PeImage, type PeSection, parsePe, sectionContent } from "./image.ts";
export { kernelRelease } from "./kernel.ts";
export { expectedUkiPcrs, measuredSections, type UkiPolicy, ukiPolicies, withPcrSignatures } from "./measure.ts";
export { requireOnlySigned } from "./only-signed.ts";
export {
  checkSbatText,
  parseSbatLevel,
  type SbatEntry,
  type SbatLevel,
  sbatEntries,
  sbatOf,
  sbatTextOf,
  tooOldFor,
} from "./sbat.ts";
export { addSections, type NewSection } from "./sections.ts";
export { type PeVerification, type SignedClaim, signedClaimOf, signPe, verifyClaim, verifyPe } from "./sign.ts";
export { buildUki, commandLineOf, readUki, type Uki, type UkiInput } from "./uki.ts";
export { type SystemdComponent, systemdComponentOf } from "./version.ts";
