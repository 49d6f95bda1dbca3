/** Which initramfs an image gets. */
import { initramfsPath, type UnsealedContents } from "../../bootimage/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { ImageFiles } from "../../tree/index.ts";
import type { InitramfsOptions } from "./common-entries.ts";
import { extendInitramfs } from "./extension.ts";
import { buildMinimalInitramfs } from "./minimal.ts";

/**
 * What carries the boot program: a small initramfs of our own, or the image's own followed by an extension, for
 * machines whose root needs more than a plain disk driver.
 */
export type InitramfsCarrier = "minimal" | "extend";

/** @throws SealrootError `usage` for modules that an extension would load too late: the disk is there by then */
export function checkDiskModules(carrier: InitramfsCarrier, diskModules: readonly string[] = []): void {
  const [module] = diskModules;
  if (carrier === "minimal" || module === undefined) return;
  throw new SealrootError("usage", `Cannot put module ${module} into the image's initramfs: it finds its own disk`, {
    hint: "add it where that initramfs is made (dracut: add_drivers; initramfs-tools: /etc/initramfs-tools/modules)",
  });
}

/**
 * The initramfs of an image, by the carrier wanted.
 *
 * @throws SealrootError as {@link buildMinimalInitramfs} and {@link extendInitramfs}; `unsupported` when there is none to
 *   extend; as {@link checkDiskModules}
 */
export async function makeInitramfs(
  carrier: InitramfsCarrier,
  files: ImageFiles,
  components: UnsealedContents,
  options: Omit<InitramfsOptions, "kernelRelease">,
): Promise<Uint8Array> {
  const { kernelRelease } = components;
  if (carrier === "minimal") return buildMinimalInitramfs(files, { ...options, kernelRelease });
  checkDiskModules(carrier, options.diskModules);
  if (components.initramfsPath === undefined) {
    throw new SealrootError("unsupported", "Cannot extend the image's initramfs: it has none", {
      path: initramfsPath(kernelRelease),
      hint: "build one in the image with dracut or initramfs-tools, or leave out --initramfs",
    });
  }
  return extendInitramfs(await files.read(components.initramfsPath), files, { ...options, kernelRelease });
}
