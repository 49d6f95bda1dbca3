/** `sealroot container split-kernel-and-rootfs --output DIR` */
import { command } from "../shared/command.ts";
import { ROOTFS_OPTION } from "./rootfs-option.ts";

export const containerSplitKernelAndRootfs = command({
  description: `Moves vmlinuz, initramfs.img and what belongs to the kernel out of the image, to DIR/VERSION/: they go into the
UKI, and must be gone before its digest is computed. DIR may be on another file system.

The times of the image's directories stay what they were, so that the image has the digest that seal gives it.`,
  options: [
    ROOTFS_OPTION,
    { flags: "--output <DIR>", summary: "where the kernel goes; made if need be", required: true },
  ],
  reportsJson: true,
  examples: ["sealroot container split-kernel-and-rootfs --rootfs rootfs --output kernel"],
  async run(invocation) {
    const { RootDirectory, splitKernel } = await import("../../container/index.ts");
    const split = splitKernel(new RootDirectory(invocation.option("rootfs") ?? "/"), invocation.required("output"));
    if (invocation.json) invocation.output.json(split);
  },
});
