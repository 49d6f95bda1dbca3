/**
 * container: what a container build asks of an image whose root file system it has before it: what is in it, whether it
 * can become a sealed system, its kernel taken out, its UKI, its files as a tar. bootc's verbs of the same names.
 *
 * System room: reads directories of this machine; seal makes the parts of a UKI. Mounts nothing, starts nothing.
 * @module
 */
export { type ExportOptions, exportMembers } from "./export-tar.ts";
export { findImageKernel, type ImageKernel, type KernelType } from "./image-kernel.ts";
export { inspectionRows, inspectRoot, type RootInspection } from "./inspect-root.ts";
export { backendOf, ITEMS_MAX, LINTS, type LintReport, type RootType, runLints } from "./lint/index.ts";
export { measurementLines } from "./measurements.ts";
export { RootDirectory } from "./root-directory.ts";
export { type SplitKernel, splitKernel } from "./split-kernel.ts";
export { buildImageUki, type UkifyReport, type UkifySettings } from "./ukify.ts";
export { parseUkifyOptions, type UkifyOptions } from "./ukify-options.ts";
