/** Which program in an initramfs makes the root out of a composefs image: without one, the image would not boot. */
import { walkInitramfs } from "../cpio/index.ts";
import { boundedUnpackers } from "./initramfs-archives.ts";

/**
 * `sealroot`: ours, put there by `sealroot image add-initramfs`. `bootc` and `composefs`: the programs of bootc's and of
 * composefs-rs's dracut modules.
 */
export type BootProgram = "sealroot" | "bootc" | "composefs";

/** Where each is (bootc, crates/initramfs/dracut/module-setup.sh; composefs-rs, its dracut module; ours, seal/initramfs). */
const PLACES: readonly (readonly [RegExp, BootProgram])[] = [
  [/^usr\/lib\/sealroot\/program\//, "sealroot"],
  [/^usr\/lib\/bootc\/initramfs-setup$/, "bootc"],
  [/(?:^|\/)composefs-setup-root$/, "composefs"],
];

/**
 * The program in an initramfs that makes the root; undefined if it has none.
 *
 * @throws SealrootError `corrupt` for an initramfs that the kernel would not unpack to its end; `unsupported` for one with
 *   a compression that is not read here, which proves nothing
 */
export function findBootProgram(initramfs: Uint8Array): BootProgram | undefined {
  for (const { entries } of walkInitramfs(initramfs, boundedUnpackers())) {
    for (const { path } of entries) {
      const found = PLACES.find(([place]) => place.test(path.replace(/^\.\//, "")));
      if (found !== undefined) return found[1];
    }
  }
  return undefined;
}
