/**
 * What the boot program needs from the image's kernel, mount(8) and QuickJS, so that an old one is refused now and not at
 * boot.
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

/** The first with String.prototype.toWellFormed and os.getpid (QuickJS, Changelog); the versions are dates. */
const QUICKJS_OLDEST = "2024-01-13";
/** What `qjs --help` prints is literally in the program. QuickJS-ng, another program, says `QuickJS-ng version`. */
const QUICKJS_TEXT = /QuickJS(-ng)? version (\d{4}-\d\d-\d\d)?/;

/**
 * What mounts the root image.
 *
 * @param kernelRelease as stated by the kernel, such as `6.12.57+deb13-amd64`
 * @param mountProgram the bytes of the image's mount(8)
 * @returns whether it takes a loop device, and if so, the program or kernel because of which it does
 * @throws SealrootError `unsupported` naming the existing and the required versions
 */
export function checkBootNeeds(kernelRelease: string, mountProgram: Uint8Array): { readonly loopFor?: string } {
  const kernel = versionOf(/^(\d+)\.(\d+)/.exec(kernelRelease));
  const found = UTIL_LINUX_TEXT.exec(Buffer.from(mountProgram).toString("latin1"));
  const utilLinux = versionOf(found);
  if (kernel !== undefined && isOlder(kernel, KERNEL_OLDEST)) {
    throw tooOld(`kernel ${kernelRelease}`, `Linux ${text(KERNEL_OLDEST)}, whose overlayfs demands fs-verity`);
  }
  if (found === null || utilLinux === undefined) throw tooOld("a mount program of its own", "that of util-linux");
  if (isOlder(utilLinux, UTIL_LINUX_OLDEST)) throw tooOld(found[0], `util-linux ${text(UTIL_LINUX_OLDEST)}`);
  if (isOlder(kernel ?? [0, 0], KERNEL_WITHOUT_LOOP)) return { loopFor: `kernel ${kernelRelease}` };
  return isOlder(utilLinux, UTIL_LINUX_WITHOUT_LOOP) ? { loopFor: found[0] } : {};
}

/** The error for a kernel without the loop device that {@link checkBootNeeds} found to be needed. */
export function withoutLoop(kernelRelease: string, loopFor: string): SealrootError {
  const direct = `Linux ${text(KERNEL_WITHOUT_LOOP)} with util-linux ${text(UTIL_LINUX_WITHOUT_LOOP)}`;
  const what = `kernel ${kernelRelease} has no loop device, which ${loopFor} needs to mount the root image`;
  return new SealrootError("unsupported", `Cannot build the initramfs: ${what}`, {
    expected: `CONFIG_BLK_DEV_LOOP, or ${direct}`,
    hint: "build the image with a kernel that has the module loop, or of a newer distribution",
  });
}

/**
 * Refuses an interpreter in which the boot program would not run.
 *
 * @param path names it in errors
 * @throws SealrootError `unsupported` for another program, another QuickJS or an old one
 */
export function checkInterpreter(path: string, program: Uint8Array): void {
  const [found, ng, version] = QUICKJS_TEXT.exec(Buffer.from(program).toString("latin1")) ?? [];
  if (found !== undefined && ng === undefined && version !== undefined && version >= QUICKJS_OLDEST) return;
  const actual = found === undefined ? "another program" : ng === undefined ? found.trim() : "QuickJS-ng";
  throw new SealrootError(
    "unsupported",
    `Cannot build the initramfs: ${path} is not QuickJS ${QUICKJS_OLDEST} or later`,
    {
      path,
      expected: `QuickJS version ${QUICKJS_OLDEST} or later (bellard.org/quickjs)`,
      actual,
      hint: "give a static one with --boot-program, or install the package of a newer distribution in the image",
    },
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
