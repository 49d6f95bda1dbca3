/**
 * bootimage: what a bootable image holds and where, before and after it is sealed: kernels, UKIs, boot loader, keys, its
 * own kernel arguments; and what its architecture is called in the different places.
 *
 * Format room, pure: an image's files in, values out. Knows the layout of spec/host-build.md 2 and spec/host-install.md
 * 8, but no layers, repositories or disks.
 * @module
 */
export { ADDON_SECTIONS, checkAddon } from "./addon-rule.ts";
export {
  ADDON_SUFFIX,
  type AddonNames,
  type AddonScope,
  chooseAddons,
  findAddons,
  type ImageAddon,
  listAddons,
  NO_ADDONS,
  refuseAddons,
  type UkiAddon,
} from "./addons.ts";
export {
  ARCHITECTURES,
  type Architecture,
  type ArchitectureName,
  findArchitecture,
} from "./architecture.ts";
export { type BootParts, bootDigest } from "./boot-digest.ts";
export {
  type EnrolmentFile,
  findAndroidImage,
  findEnrolmentFiles,
  findKernelReleases,
  findLoader,
  findUkis,
} from "./contents.ts";
export { checkDeployment, checkUnsealedDeployment, type DeploymentRules } from "./deployment-check.ts";
export { boundedUnpackers } from "./initramfs-archives.ts";
export { type BootProgram, findBootProgram } from "./initramfs-program.ts";
export { imageKernelArguments, type KargsFile, readKargsFiles } from "./kernel-arguments.ts";
export {
  attachedLoaderPath,
  enrolmentPath,
  initramfsPath,
  kernelFolder,
  kernelPath,
  OS_RELEASE_PATH,
  sealedUkiPath,
  signedLoaderPath,
  stubPath,
  UKI_FOLDER,
} from "./layout.ts";
export { findSealedContents, findSealedUki, type SealedContents, type SealedUki } from "./sealed.ts";
export { checkSealedLines } from "./sealed-lines.ts";
export { parseTomlFile } from "./toml-file.ts";
export { findType1Paths, hasUki, readType1Files, type Type1Files, type Type1Paths } from "./type1.ts";
export { findType1Contents, type Type1Contents, type1KernelArguments } from "./type1-contents.ts";
export { checkOpensEncryptedRoot } from "./unlock-check.ts";
export {
  findUnsealedContents,
  type GivenParts,
  KERNEL_COMPANIONS,
  sealableArchitecture,
  type UnsealedContents,
} from "./unsealed.ts";
