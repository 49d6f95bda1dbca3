/** What an image boots with that is not sealed: kernel and initramfs as files, started by a Type 1 entry (spec/host-install.md 8.5). */
import { SealrootError } from "../errors/index.ts";
import { parsePe } from "../pe/index.ts";
import { hasDirectoryAt, hasFileAt, leavesBelow, type NodeFinder, type TreeFiles } from "../tree/index.ts";
import type { Architecture } from "./architecture.ts";
import { findAndroidImage, findKernelReleases, findUkis } from "./contents.ts";
import { initramfsPath, KERNELS_FOLDER, kernelPath, UKI_FOLDER } from "./layout.ts";

/** Where kernel and initramfs are in the image. */
export interface Type1Paths {
  /** The kernel's release, the name of its folder under /usr/lib/modules. */
  readonly kernelRelease: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
}

/** What goes to the EFI system partition. */
export interface Type1Files {
  readonly kernel: Uint8Array;
  readonly initramfs: Uint8Array;
}

/** Entries of an image's own; bootc refuses them too. */
const IMAGE_ENTRIES_FOLDER = "/boot/loader/entries";

/**
 * Whether an image boots from a UKI, so that everything about its boot is decided by what was sealed. A UKI beside a
 * kernel wins, as in bootc.
 * @throws SealrootError `unsupported` for something else in the place of a folder or a UKI
 */
export function hasUki(image: NodeFinder): boolean {
  return findUkis(image).length > 0;
}

/**
 * The kernel and initramfs of an image that is not sealed.
 *
 * @throws SealrootError `unsupported` for an image that lacks one of them, or brings boot entries or an Android boot
 *   image of its own; `conflict` for several kernels
 */
export function findType1Paths(image: NodeFinder): Type1Paths {
  refuseOtherBoot(image);
  const releases = findKernelReleases(image);
  const [kernelRelease, ...others] = releases;
  if (kernelRelease === undefined) throw noKernel(image);
  if (others.length > 0) {
    throw new SealrootError(
      "conflict",
      `Cannot install the image: ${releases.length} kernels (${releases.join(", ")})`,
      {
        path: KERNELS_FOLDER,
        expected: "1",
        actual: String(releases.length),
        hint: "leave only the one to boot in the image",
      },
    );
  }
  const initramfs = initramfsPath(kernelRelease);
  if (!hasFileAt(image, initramfs)) {
    throw new SealrootError(
      "unsupported",
      `Cannot install the image: it is not sealed (no UKI in ${UKI_FOLDER}), and has no initramfs (${initramfs})`,
      {
        path: initramfs,
        hint: "seal it: sealroot seal IMAGE -o IMAGE --keys DIR; or, to boot it unsealed: sealroot image add-initramfs",
      },
    );
  }
  return { kernelRelease, kernelPath: kernelPath(kernelRelease), initramfsPath: initramfs };
}

/**
 * Kernel and initramfs themselves.
 *
 * @throws SealrootError `corrupt` when the kernel is not an EFI program, which systemd-boot needs; `conflict` when it is
 *   for another architecture than the image
 */
export function readType1Files(image: TreeFiles, paths: Type1Paths, architecture: Architecture): Type1Files {
  const { kernelPath: path } = paths;
  const kernel = image.read(path);
  const actual = parsePe(kernel, `the kernel ${path}`).architecture;
  if (actual !== architecture.efi) {
    throw new SealrootError(
      "conflict",
      `Cannot install the image: it is for ${architecture.oci}, but its kernel ${path} for ${actual}`,
      { path, expected: architecture.efi, actual },
    );
  }
  return { kernel, initramfs: image.read(paths.initramfsPath) };
}

function refuseOtherBoot(image: NodeFinder): void {
  const android = findAndroidImage(image);
  if (android !== undefined) throw bootsAndroid(android);
  const entry = hasDirectoryAt(image, IMAGE_ENTRIES_FOLDER)
    ? leavesBelow(image, IMAGE_ENTRIES_FOLDER).find((path) => path.endsWith(".conf"))
    : undefined;
  if (entry === undefined) return;
  throw new SealrootError("unsupported", `Cannot install the image: it has a boot entry of its own (${entry})`, {
    path: entry,
    hint: "take it out of the image: the entry is made for the disk, whose root file system it names",
  });
}

/** The refusal of an image that boots from slots of its disk. */
export function bootsAndroid(path: string): SealrootError {
  return new SealrootError(
    "unsupported",
    `Cannot install the image: it boots from an Android boot image (${path}), not from a UKI`,
    { path, hint: "install it with bootc, which writes such images to the slots of its disk" },
  );
}

function noKernel(image: NodeFinder): SealrootError {
  if (!hasDirectoryAt(image, "/usr")) {
    return new SealrootError("unsupported", "Cannot install the image: it has no /usr", { path: "/usr" });
  }
  return new SealrootError("unsupported", "Cannot install the image: it has neither a UKI nor a kernel", {
    path: UKI_FOLDER,
    hint: "install a kernel in the image and seal it with sealroot seal",
  });
}
