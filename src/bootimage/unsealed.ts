/** What an unsealed image holds: the parts of its boot chain. Images that cannot be sealed are refused. */
import { SealrootError } from "../errors/index.ts";
import { hasDirectoryAt, hasFileAt, type NodeFinder } from "../tree/index.ts";
import { type Architecture, architectureNames, findArchitecture } from "./architecture.ts";
import { findAndroidImage, findKernelReleases, findUkis } from "./contents.ts";
import {
  initramfsPath,
  KERNELS_FOLDER,
  kernelFolder,
  kernelPath,
  loaderPath,
  OS_RELEASE_PATH,
  stubPath,
} from "./layout.ts";

/** Where the parts are inside the image. */
export interface UnsealedContents {
  /** The kernel's release, the name of its folder under /usr/lib/modules. */
  readonly kernelRelease: string;
  readonly kernelPath: string;
  /** The image's own initramfs, if it has one. */
  readonly initramfsPath: string | undefined;
  /** Files that belong to the kernel and are useless without it. */
  readonly companionPaths: readonly string[];
  /** Where the image's package puts systemd-boot, unsigned. */
  readonly loaderPath: string;
  /** Where the EFI stub that a UKI begins with is. */
  readonly stubPath: string;
  readonly osReleasePath: string;
  /** Folders of the kernels that were not chosen, with their modules. */
  readonly otherKernelFolders: readonly string[];
}

/**
 * Files beside `vmlinuz` that move with it: the checksum that comes with Fedora's kernels for FIPS mode (bootc 1.17,
 * `KERNEL_COMPANION_FILES` in kernel.rs).
 */
export const KERNEL_COMPANIONS: readonly string[] = [".vmlinuz.hmac"];

/** What is said from outside: parts that the image need not have, and a choice among what it has. */
export interface GivenParts {
  readonly loader: boolean;
  readonly stub: boolean;
  /** The release of the kernel to boot; the image's only one if absent. */
  readonly kernelRelease?: string | undefined;
}

/**
 * The parts of a bootable image that is not sealed yet (spec/host-build.md 2, "Minimal user recipe").
 *
 * @param action what cannot be done without them, in errors
 * @throws SealrootError `unsupported` naming what is missing, or what is in its place, and the remedy; `conflict` when
 *   the image is already sealed, or has several kernels and none is chosen; `not-found` for a chosen one that it lacks
 */
export function findUnsealedContents(
  files: NodeFinder,
  architecture: Architecture,
  given: GivenParts = { loader: false, stub: false },
  action = "seal the image",
): UnsealedContents {
  const requireDirectory = directoryCheck(files, action);
  const requireFile = fileCheck(files, action);
  requireDirectory("/usr", "every bootable image has its system there");
  requireDirectory("/boot", "add an empty directory /boot to the image");
  requireDirectory("/sysroot", "add an empty directory /sysroot to the image");
  refuseSealed(files, action);
  const { kernelRelease, others } = chooseKernel(files, given.kernelRelease, action);
  const loader = loaderPath(architecture.efi);
  const stub = stubPath(architecture.efi);
  const initramfs = initramfsPath(kernelRelease);
  const companions = KERNEL_COMPANIONS.map((name) => `${kernelFolder(kernelRelease)}/${name}`);
  if (!given.loader) requireFile(loader, "systemd-boot", "Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned");
  if (!given.stub) requireFile(stub, "systemd EFI stub", "Debian: systemd-boot-efi; Fedora: systemd-boot-unsigned");
  requireFile(OS_RELEASE_PATH, "os-release", "Debian: base-files; Fedora: fedora-release-common");
  return {
    kernelRelease,
    kernelPath: kernelPath(kernelRelease),
    initramfsPath: hasFileAt(files, initramfs) ? initramfs : undefined,
    companionPaths: companions.filter((path) => hasFileAt(files, path)),
    loaderPath: loader,
    stubPath: stub,
    osReleasePath: OS_RELEASE_PATH,
    otherKernelFolders: others.map(kernelFolder),
  };
}

/**
 * The architecture of an image that is to be sealed.
 *
 * @param name as its configuration says
 * @throws SealrootError `unsupported` for one without a UEFI boot chain here
 */
export function sealableArchitecture(name: string): Architecture {
  const found = findArchitecture("oci", name);
  if (found !== undefined) return found;
  const known = architectureNames("oci").join(" or ");
  throw new SealrootError("unsupported", `Cannot seal an image for "${name}": the boot chain needs ${known}`, {
    expected: known,
    actual: name,
  });
}

function directoryCheck(files: NodeFinder, action: string): (path: string, hint: string) => void {
  return (path, hint) => {
    if (hasDirectoryAt(files, path)) return;
    throw new SealrootError("unsupported", `Cannot ${action}: it has no directory ${path}`, { path, hint });
  };
}

function fileCheck(files: NodeFinder, action: string): (path: string, what: string, packages: string) => void {
  return (path, what, packages) => {
    if (hasFileAt(files, path)) return;
    throw new SealrootError("unsupported", `Cannot ${action}: it has no ${what} (${path})`, {
      path,
      hint: `install the package that has it in the image (${packages})`,
    });
  };
}

function refuseSealed(files: NodeFinder, action: string): void {
  const [uki] = findUkis(files);
  if (uki !== undefined) {
    throw new SealrootError("conflict", `Cannot ${action}: it is already sealed (${uki})`, {
      path: uki,
      hint: "seal the image it was made from",
    });
  }
  const android = findAndroidImage(files);
  if (android !== undefined) {
    throw new SealrootError("unsupported", `Cannot ${action}: it boots from an Android image (${android})`, {
      path: android,
      hint: "take that file out of the image, if it is to boot from a UKI",
    });
  }
}

function chooseKernel(
  files: NodeFinder,
  wanted: string | undefined,
  action: string,
): { readonly kernelRelease: string; readonly others: readonly string[] } {
  const releases = findKernelReleases(files);
  if (wanted !== undefined && releases.includes(wanted)) {
    return { kernelRelease: wanted, others: releases.filter((release) => release !== wanted) };
  }
  const [release, ...others] = releases;
  if (release === undefined) {
    throw new SealrootError("unsupported", `Cannot ${action}: no kernel in ${KERNELS_FOLDER}/VERSION/vmlinuz`, {
      path: KERNELS_FOLDER,
      hint: "install a kernel package and put its kernel there, as examples/debian does",
    });
  }
  if (wanted !== undefined) {
    throw new SealrootError("not-found", `Cannot ${action}: it has no kernel ${wanted}`, {
      path: kernelPath(wanted),
      expected: wanted,
      actual: releases.join(", "),
    });
  }
  if (others.length > 0) {
    throw new SealrootError("conflict", `Cannot ${action}: ${releases.length} kernels (${releases.join(", ")})`, {
      path: KERNELS_FOLDER,
      expected: "1",
      actual: String(releases.length),
      hint: "remove all kernels but the one to boot, or choose it: sealroot seal --kernel RELEASE",
    });
  }
  return { kernelRelease: release, others: [] };
}
