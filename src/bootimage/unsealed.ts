/** Finds in an image what its boot chain is made of, and refuses images that cannot be sealed. */
import { findUkis, IMAGE_KERNELS_FOLDER, isAndroidBootImage } from "../bootloader/index.ts";
import { SealrootError } from "../errors/index.ts";
import { directoriesAt, hasDirectoryAt, hasFileAt, namesAt } from "../tree/index.ts";
import type { Architecture } from "./architecture.ts";
import type { ImageFiles } from "./image-files.ts";

/** Where the parts are inside the image. */
export interface BootComponents {
  /** The kernel's release, the name of its folder under /usr/lib/modules. */
  readonly kernelRelease: string;
  readonly kernelPath: string;
  /** The image's own initramfs, when it has one. */
  readonly initramfsPath: string | undefined;
  /** What belongs to the kernel's file and is of no use without it. */
  readonly companionPaths: readonly string[];
  /** Where systemd-boot stands as the image's package ships it, unsigned. */
  readonly loaderPath: string;
  /** Where the EFI stub stands that a UKI begins with. */
  readonly stubPath: string;
  readonly osReleasePath: string;
}

/** Where systemd keeps its EFI programs (systemd-boot(7), systemd-stub(7)). */
const EFI_PROGRAMS = "/usr/lib/systemd/boot/efi";
/**
 * Files beside `vmlinuz` that go where it goes: the checksum that Fedora's kernels bring for FIPS mode (bootc 1.17,
 * `KERNEL_COMPANION_FILES` in kernel.rs).
 */
const KERNEL_COMPANIONS: readonly string[] = [".vmlinuz.hmac"];

/** Parts that are given from outside, so that the image need not have them. */
export interface GivenParts {
  readonly loader: boolean;
  readonly stub: boolean;
}

/**
 * The boot components of a bootable image (spec/host-build.md 2, "Minimal user recipe").
 *
 * @throws SealrootError `unsupported` naming what is missing, or what stands in its place, and the remedy; `conflict`
 *   when the image is sealed already
 */
export function findBootComponents(
  files: ImageFiles,
  architecture: Architecture,
  given: GivenParts = { loader: false, stub: false },
): BootComponents {
  requireDirectory(files, "/usr", "Every bootable image has its system there");
  requireDirectory(files, "/boot", "Add an empty directory /boot to the image");
  requireDirectory(files, "/sysroot", "Add an empty directory /sysroot to the image");
  refuseSealed(files);
  const kernelRelease = singleKernel(files);
  const folder = `${IMAGE_KERNELS_FOLDER}/${kernelRelease}`;
  const loaderPath = `${EFI_PROGRAMS}/systemd-boot${architecture.efi}.efi`;
  const stubPath = `${EFI_PROGRAMS}/linux${architecture.efi}.efi.stub`;
  if (!given.loader)
    requireFile(files, loaderPath, "systemd-boot", "Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned");
  if (!given.stub)
    requireFile(files, stubPath, "systemd EFI stub", "Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned");
  requireFile(files, "/usr/lib/os-release", "os-release", "Debian: base-files; Fedora: fedora-release-common");
  return {
    kernelRelease,
    kernelPath: `${folder}/vmlinuz`,
    initramfsPath: hasFileAt(files, `${folder}/initramfs.img`) ? `${folder}/initramfs.img` : undefined,
    companionPaths: KERNEL_COMPANIONS.map((name) => `${folder}/${name}`).filter((path) => hasFileAt(files, path)),
    loaderPath,
    stubPath,
    osReleasePath: "/usr/lib/os-release",
  };
}

function requireDirectory(files: ImageFiles, path: string, hint: string): void {
  if (!hasDirectoryAt(files, path)) {
    throw new SealrootError("unsupported", `Cannot seal the image: it has no directory ${path}`, { path, hint });
  }
}

function requireFile(files: ImageFiles, path: string, what: string, packages: string): void {
  if (!hasFileAt(files, path)) {
    throw new SealrootError("unsupported", `Cannot seal the image: it has no ${what} (${path})`, {
      path,
      hint: `install the package that has it in the image (${packages})`,
    });
  }
}

function refuseSealed(files: ImageFiles): void {
  const [uki] = findUkis(files);
  if (uki !== undefined) {
    throw new SealrootError("conflict", `Cannot seal the image: it is sealed already (${uki})`, {
      path: uki,
      hint: "seal the image it was made from",
    });
  }
  const android = namesAt(files, "/boot").find(isAndroidBootImage);
  if (android !== undefined) {
    throw new SealrootError("unsupported", `Cannot seal the image: it boots from an Android image (/boot/${android})`, {
      path: `/boot/${android}`,
      hint: "take that file out of the image, if it is to boot from a UKI",
    });
  }
}

/** Links beside the kernels' folders, such as `current`, are passed over, as bootc does (spec/host-install.md 8.5). */
function singleKernel(files: ImageFiles): string {
  const releases = directoriesAt(files, IMAGE_KERNELS_FOLDER)
    .filter((folder) => hasFileAt(files, `${folder}/vmlinuz`))
    .map((folder) => folder.slice(folder.lastIndexOf("/") + 1));
  const [release, ...others] = releases;
  if (release === undefined) {
    throw new SealrootError(
      "unsupported",
      `Cannot seal the image: no kernel in ${IMAGE_KERNELS_FOLDER}/VERSION/vmlinuz`,
      {
        path: IMAGE_KERNELS_FOLDER,
        hint: "install a kernel package and put its kernel there, as examples/debian does",
      },
    );
  }
  if (others.length > 0) {
    throw new SealrootError("conflict", `Cannot seal the image: ${releases.length} kernels (${releases.join(", ")})`, {
      path: IMAGE_KERNELS_FOLDER,
      expected: "1",
      actual: String(releases.length),
      hint: "remove all kernels but the one to boot",
    });
  }
  return release;
}
