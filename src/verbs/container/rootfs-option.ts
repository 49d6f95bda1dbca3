/** Which image a verb is about that runs in a container build. */
import type { OptionSpecification } from "../shared/command.ts";

export const ROOTFS_OPTION = {
  flags: "--rootfs <DIR>",
  summary: "the root file system of the image (default: /)",
} as const satisfies OptionSpecification;
