/**
 * What the boot program needs from the image's kernel and mount(8), so that an old one is refused now and not at boot.
 */
import { SealrootError } from "../../errors/index.ts";

/** Major and minor number. */
type Version = readonly [number, number];

/** overlayfs has `verity=require` (Documentation/filesystems/overlayfs.rst, "fs-verity support"); `::` is older, 6.5. */
const KERNEL_OLDEST: Version = [6, 6];
/** EROFS can be mounted from a file (EROFS_FS_BACKED_BY_FILE). */
const KERNEL_WITHOUT_LOOP: Version = [6, 12];
/** The oldest that the boot program's calls of mount(8) were tried with. */
const UTIL_LINUX_OLDEST: Version = [2, 38];
/**
 * Before it, libmount puts a loop device under every EROFS file, which cannot be turned off (util-linux#3288, #3317).
 */
const UTIL_LINUX_WITHOUT_LOOP: Version = [2, 41];

/** The version that mount(8) prints is literally in the program. */
const UTIL_LINUX_TEXT = /util-linux (\d+)\.(\d+)[0-9.]*/;

/**
 * @param kernelRelease as stated by the kernel, such as `6.12.57+deb13-amd64`
 * @param loopIsBuiltIn whether the kernel has loop devices without a module, which the initramfs does not carry
 * @param mountProgram the bytes of the image's mount(8)
 * @throws SealrootError `unsupported` naming the existing and the required versions
 */
export function checkBootNeeds(kernelRelease: string, loopIsBuiltIn: boolean, mountProgram: Uint8Array): void {
  const kernel = versionOf(/^(\d+)\.(\d+)/.exec(kernelRelease));
  const found = UTIL_LINUX_TEXT.exec(Buffer.from(mountProgram).toString("latin1"));
  const utilLinux = versionOf(found);
  if (kernel !== undefined && isOlder(kernel, KERNEL_OLDEST)) {
    throw tooOld(`kernel ${kernelRelease}`, `Linux ${text(KERNEL_OLDEST)}, whose overlayfs demands fs-verity`);
  }
  if (found === null || utilLinux === undefined) throw tooOld("a mount program of its own", "that of util-linux");
  if (isOlder(utilLinux, UTIL_LINUX_OLDEST)) throw tooOld(found[0], `util-linux ${text(UTIL_LINUX_OLDEST)}`);
  const isDirect = !isOlder(kernel ?? [0, 0], KERNEL_WITHOUT_LOOP) && !isOlder(utilLinux, UTIL_LINUX_WITHOUT_LOOP);
  if (isDirect || loopIsBuiltIn) return;
  throw tooOld(
    `kernel ${kernelRelease} and ${found[0]}`,
    `Linux ${text(KERNEL_WITHOUT_LOOP)} and util-linux ${text(UTIL_LINUX_WITHOUT_LOOP)}, which mount the root image ` +
      "without a loop device, or loop built into the kernel",
  );
}

function versionOf(match: RegExpExecArray | null): Version | undefined {
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

function isOlder([major, minor]: Version, [otherMajor, otherMinor]: Version): boolean {
  return major === otherMajor ? minor < otherMinor : major < otherMajor;
}

function text(version: Version): string {
  return version.join(".");
}

function tooOld(actual: string, expected: string): SealrootError {
  const what = `Cannot build the initramfs: the image has ${actual}, but the boot program needs ${expected}`;
  return new SealrootError("unsupported", what, { expected, actual, hint: "build the image of a newer distribution" });
}
