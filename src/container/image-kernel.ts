/** The kernel of an image, as bootc finds it (bootc 1.17, crates/lib/src/kernel.rs; spec/upstream-1.17.md 2b). */
import {
  ADDON_SUFFIX,
  findAndroidImage,
  findKernelReleases,
  initramfsPath,
  kernelPath,
  UKI_FOLDER,
} from "../bootimage/index.ts";
import { SealrootError } from "../errors/index.ts";
import { hasFileAt, namesAt } from "../tree/index.ts";
import type { RootDirectory } from "./root-directory.ts";

/** How a kernel is kept in an image, in bootc's words. `aboot-efi`: a UKI in the place of an Android image. */
export type KernelType = "vmlinuz" | "uki" | "aboot" | "aboot-efi";

export interface ImageKernel {
  /** The folder of its modules, or the name of the UKI or Android image without its ending. */
  readonly version: string;
  readonly type: KernelType;
  /** Absolute in the image: the kernel, the UKI or the Android image. */
  readonly path: string;
  /** Beside a kernel, if there is one. */
  readonly initramfsPath: string | undefined;
}

const UKI_SUFFIX = ".efi";
/** The first bytes of an Android boot image (bootimg.h, BOOT_MAGIC). */
const ANDROID_MAGIC = "ANDROID!";

/**
 * An Android image, which nothing else can be beside; otherwise the first UKI in the order of names; otherwise the one
 * kernel of `/usr/lib/modules`.
 *
 * @returns undefined for an image without
 * @throws SealrootError `conflict` for several kernels, `unsupported` for something else in their place
 */
export function findImageKernel({ files }: RootDirectory): ImageKernel | undefined {
  const uki = namesAt(files, UKI_FOLDER).find((name) => isUkiName(name));
  const releases = findKernelReleases(files);
  const android = findAndroidImage(files);
  if (android !== undefined) {
    if (uki !== undefined || releases.length > 0) throw besideAndroid(android);
    const isPlain =
      Buffer.from(files.read(android).subarray(0, ANDROID_MAGIC.length)).toString("latin1") === ANDROID_MAGIC;
    const version = android.slice("/boot/aboot-".length, -".img".length);
    return { version, type: isPlain ? "aboot" : "aboot-efi", path: android, initramfsPath: undefined };
  }
  if (uki !== undefined) {
    const version = uki.slice(0, -UKI_SUFFIX.length);
    return { version, type: "uki", path: `${UKI_FOLDER}/${uki}`, initramfsPath: undefined };
  }
  const [release, ...others] = releases;
  if (release === undefined) return undefined;
  if (others.length > 0) throw severalKernels(releases);
  const initramfs = initramfsPath(release);
  return {
    version: release,
    type: "vmlinuz",
    path: kernelPath(release),
    initramfsPath: hasFileAt(files, initramfs) ? initramfs : undefined,
  };
}

function isUkiName(name: string): boolean {
  return name.endsWith(UKI_SUFFIX) && name !== UKI_SUFFIX && !name.endsWith(ADDON_SUFFIX);
}

function severalKernels(releases: readonly string[]): SealrootError {
  return new SealrootError("conflict", `Cannot choose the kernel of the image: it has ${releases.join(" and ")}`, {
    path: "/usr/lib/modules",
    expected: "1 kernel",
    actual: `${releases.length} kernels`,
    hint: "remove all kernels but the one to boot",
  });
}

function besideAndroid(path: string): SealrootError {
  return new SealrootError("conflict", `Cannot choose the kernel of the image: it has ${path} and another one`, {
    path,
    hint: "an image boots from an Android image or from a kernel of its own, not from both",
  });
}
