/** Where a bootable image keeps what it boots with. Paths are absolute in the image. */
import type { EfiArchitecture } from "../pe/index.ts";

/** Kernels and their modules, each in a folder named after the kernel's release. */
export const KERNELS_FOLDER = "/usr/lib/modules";

export function kernelFolder(kernelRelease: string): string {
  return `${KERNELS_FOLDER}/${kernelRelease}`;
}

/** The kernel of an unsealed image (spec/host-build.md 2). */
export function kernelPath(kernelRelease: string): string {
  return `${kernelFolder(kernelRelease)}/vmlinuz`;
}

/** The initramfs that an unsealed image may have. */
export function initramfsPath(kernelRelease: string): string {
  return `${kernelFolder(kernelRelease)}/initramfs.img`;
}

/** Where a sealed image keeps its UKI and add-ons (spec/host-install.md 8.5). */
export const UKI_FOLDER = "/boot/EFI/Linux";

/** The UKI that seal puts into an image. */
export function sealedUkiPath(kernelRelease: string): string {
  return `${UKI_FOLDER}/${kernelRelease}.efi`;
}

/** Where systemd keeps its EFI programs (systemd-boot(7), systemd-stub(7)). */
const EFI_PROGRAMS_FOLDER = "/usr/lib/systemd/boot/efi";

/** systemd-boot as the image's package ships it, unsigned. */
export function loaderPath(architecture: EfiArchitecture): string {
  return `${EFI_PROGRAMS_FOLDER}/systemd-boot${architecture}.efi`;
}

/** The signed systemd-boot, where bootctl(1) looks for one. */
export function signedLoaderPath(architecture: EfiArchitecture): string {
  return `${loaderPath(architecture)}.signed`;
}

/**
 * The systemd-boot whose signature was attached after sealing: under `/boot`, which the sealed digest leaves out, as everything
 * below `/usr` is fixed by then.
 */
export function attachedLoaderPath(architecture: EfiArchitecture): string {
  return `/boot/EFI/systemd/systemd-boot${architecture}.efi`;
}

/** The EFI stub that a UKI begins with. */
export function stubPath(architecture: EfiArchitecture): string {
  return `${EFI_PROGRAMS_FOLDER}/linux${architecture}.efi.stub`;
}

export const OS_RELEASE_PATH = "/usr/lib/os-release";

/** Folders of Secure Boot enrolment files (spec/host-install.md 8.9). */
export const ENROLMENT_FOLDER = "/usr/lib/bootc/install/secureboot-keys";

/** One enrolment file: `db.auth` of a folder, such as `auto`. */
export function enrolmentPath(folder: string, name: string): string {
  return `${ENROLMENT_FOLDER}/${folder}/${name}`;
}

/** The folder whose TOML files add kernel arguments (spec/host-lifecycle.md 6). */
export const KARGS_FOLDER = "/usr/lib/bootc/kargs.d";
