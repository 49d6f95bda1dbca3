/**
 * seal/initramfs: builds what boots the root: the minimal initramfs, or the extension of an image's own.
 *
 * System room (part of seal): takes programs, libraries and kernel modules from the image, adds the boot program of
 * `initramfs/` and two programs of machine code. Nothing comes from the building host.
 * Source: spec/boot-chain.md E and G.
 * @module
 */
export { checkDiskModules, type InitramfsCarrier, makeInitramfs } from "./carrier.ts";
export type { InitramfsOptions, SealedRoot } from "./common-entries.ts";
export { buildInitramfsExtension, extendInitramfs } from "./extension.ts";
export type { GivenProgram } from "./image-programs.ts";
export { buildMinimalInitramfs, type MinimalInitramfsOptions } from "./minimal.ts";
