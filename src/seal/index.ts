/**
 * seal: a bootable OCI image becomes a sealed one: signed loader and keys added under /usr, kernel taken out, the digest
 * of the root computed, a signed UKI over that digest put into /boot.
 *
 * System room: may use stores and formats. Starts nothing and mounts nothing; an ordinary user suffices.
 * @module
 */
export { type AddInitramfsOptions, type AddInitramfsReport, addInitramfs } from "./add-initramfs.ts";
export { type AttachOptions, attachUki, readSealedUki } from "./attach-uki.ts";
export { type PinnedProgram, readBootPrograms } from "./boot-programs.ts";
export { checkState } from "./check-state.ts";
export { SEAL_ALGORITHM } from "./image-id.ts";
export { type InitramfsCarrier, makeInitramfs, type SealedRoot } from "./initramfs/index.ts";
export {
  type ProgramReport,
  type SealOptions,
  type SealReport,
  sealImage,
} from "./seal-image.ts";
export { imagesToName, type NamedImage, type SealedForm } from "./sealed-forms.ts";
export { UnpackBudget } from "./unpack-budget.ts";
