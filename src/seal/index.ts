/**
 * seal: a bootable OCI image becomes a sealed one: signed loader and keys added under /usr, kernel taken out, the digest
 * of the root computed, a signed UKI over that digest put into /boot.
 *
 * System room: may use stores and formats. Starts nothing and mounts nothing; an ordinary user suffices.
 * @module
 */
export { type AddInitramfsOptions, type AddInitramfsReport, addInitramfs } from "./add-initramfs.ts";
export { type AttachOptions, type AttachReport, attachSigned, readSealedUki } from "./attach-signed.ts";
export { type PinnedProgram, readBootPrograms } from "./boot-programs.ts";
export { checkState } from "./check-state.ts";
export { SEAL_ALGORITHM } from "./image-id.ts";
export type { ImageProgram } from "./image-programs.ts";
export { type GivenProgram, type InitramfsCarrier, makeInitramfs, type SealedRoot } from "./initramfs/index.ts";
export { isPolicyList, type PcrPolicyChoice, UNLOCK_PHASES } from "./pcr-policies.ts";
export { formOf, isProgram, type ReturnedFile } from "./returned-signatures.ts";
export {
  type ProgramReport,
  type SealOptions,
  type SealReport,
  sealImage,
} from "./seal-image.ts";
export { imagesToName, type NamedImage, type SealedForm } from "./sealed-forms.ts";
export { checkVacantDirectory, isMaterial, type ToSign, writeToSign } from "./to-sign.ts";
export { UnpackBudget } from "./unpack-budget.ts";
export { unpackImage } from "./unpack-image.ts";
