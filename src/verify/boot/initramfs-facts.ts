/** What an initramfs does with what nobody signed, and which root it permits. */
import { type BootProgram, boundedUnpackers, findBootProgram } from "../../bootimage/index.ts";
import { type CpioEntry, walkInitramfs } from "../../cpio/index.ts";

export interface InitramfsFacts {
  /** The program that makes the root; undefined for one that is not known here. */
  readonly program: BootProgram | undefined;
  /** Of our program: the text that says which images it may mount. */
  readonly permit: string | undefined;
  /** systemd is its init, and imports credentials and merges extensions. */
  readonly hasSystemd: boolean;
  /** systemd's own units for extensions are switched off. */
  readonly leavesExtensionsOut: boolean;
}

const PERMIT = "usr/lib/sealroot/permit";
const SYSTEMD = "usr/lib/systemd/systemd";
/** Drop-ins of `seal --initramfs extend` (src/seal/initramfs/glue.ts). */
const LEFT_OUT = /\/systemd-sysext(?:-initrd)?\.service\.d\/.*sealroot.*\.conf$/;

/** @throws SealrootError as walkInitramfs: also `unsupported` for a compression that is not read here */
export function readInitramfs(initramfs: Uint8Array): InitramfsFacts {
  let permit: string | undefined;
  let [hasSystemd, leavesExtensionsOut] = [false, false];
  for (const { entries } of walkInitramfs(initramfs, boundedUnpackers())) {
    for (const entry of entries) {
      const path = entry.path.replace(/^\.?\//, "");
      if (path === PERMIT) permit = textOf(entry);
      if (path === SYSTEMD && entry.kind === "file") hasSystemd = true;
      if (LEFT_OUT.test(`/${path}`)) leavesExtensionsOut = true;
    }
  }
  return { program: findBootProgram(initramfs), permit, hasSystemd, leavesExtensionsOut };
}

function textOf(entry: CpioEntry): string | undefined {
  return entry.kind === "file" ? Buffer.from(entry.bytes).toString("utf8") : undefined;
}
