/** All lints, and the image that they look at. */
import { findImageKernel } from "../image-kernel.ts";
import type { RootDirectory } from "../root-directory.ts";
import { CONTENT_LINTS } from "./content-lints.ts";
import { LAYOUT_LINTS, prepareRootPath } from "./layout-lints.ts";
import type { Backend, Lint } from "./lint.ts";
import { SEALING_LINTS } from "./sealing-lints.ts";
import { TMPFILES_LINT } from "./tmpfiles-lint.ts";
import { USERS_LINT } from "./users-lint.ts";

/** bootc's by its names, and those about sealing; in the order of the names. */
export const LINTS: readonly Lint[] = [
  ...LAYOUT_LINTS,
  ...CONTENT_LINTS,
  ...SEALING_LINTS,
  TMPFILES_LINT,
  USERS_LINT,
].sort((a, b) => (a.name < b.name ? -1 : 1));

/**
 * An image with ostree's configuration and no UKI is for ostree, as bootc 1.17 decides; every other one is for composefs,
 * since sealroot has nothing else.
 */
export function backendOf(directory: RootDirectory): Backend {
  try {
    const type = findImageKernel(directory)?.type;
    if (type !== undefined && type !== "vmlinuz") return "composefs";
  } catch {
    // What is wrong with the kernels is for the lints about them.
  }
  return prepareRootPath(directory.root) === undefined ? "composefs" : "ostree";
}

export { ITEMS_MAX } from "./items.ts";
export { type LintReport, type RootType, runLints } from "./lint.ts";
