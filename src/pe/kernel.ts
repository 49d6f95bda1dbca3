/** What a kernel image says about itself. */
import { ByteCursor } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";

/** x86 setup header ("The Linux/x86 Boot Protocol"): magic "HdrS" at 0x202, offset of the version text at 0x20e. */
const SETUP_MAGIC_OFFSET = 0x202;
const SETUP_MAGIC = 0x53726448;
const VERSION_POINTER_OFFSET = 0x20e;
/** The version pointer counts from here. */
const VERSION_BASE = 0x200;
/** Longest version text that is read; the kernel's own is about 150 bytes. */
const VERSION_BYTES_MAX = 512;

/**
 * The release of an x86 kernel image (bzImage), as `uname -r` prints it: the first word of its version text.
 * @throws SealrootError `unsupported` for a kernel of another kind, `corrupt` when the text is not where it should be
 */
export function kernelRelease(kernel: Uint8Array): string {
  const cursor = new ByteCursor(kernel, "kernel", SETUP_MAGIC_OFFSET);
  if (kernel.length < VERSION_POINTER_OFFSET + 2 || cursor.u32() !== SETUP_MAGIC) {
    throw new SealrootError("unsupported", "Cannot read the kernel's release: it is not an x86 bzImage", {
      hint: "the directory name under /usr/lib/modules is the release too",
    });
  }
  cursor.offset = VERSION_POINTER_OFFSET;
  const start = VERSION_BASE + cursor.u16();
  const text = Buffer.from(kernel.subarray(start, start + VERSION_BYTES_MAX)).toString("latin1");
  const release = /^([!-~]+)[ \0]/.exec(text)?.[1];
  if (release === undefined) throw corrupt("Cannot read the kernel's release: no version text", { offset: start });
  return release;
}
