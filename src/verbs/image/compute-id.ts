/** `sealroot image compute-id NAME`. */
import { BOOTABLE_TIMES_OPTION, bootTimesOption } from "../shared/boot-times-option.ts";
import { command } from "../shared/command.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";
import { keepsUserXattrs, XATTRS_OPTION } from "../shared/xattrs-option.ts";

export const imageComputeId = command({
  description: `Computes the id of an image's EROFS image from its layers, whatever is recorded, and prints it. Nothing is written.`,
  arguments: [{ name: "NAME", summary: `${OCI_IMAGE_SUMMARY}, or @ and that of a configuration`, holds: "image" }],
  options: [
    { flags: "--bootable", summary: "of the boot variant" },
    XATTRS_OPTION,
    BOOTABLE_TIMES_OPTION,
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot image compute-id --repo R --bootable debian"],
  reportsJson: true,
  async run(invocation) {
    const { computeImageId } = await import("../../imagestore/index.ts");
    const bootable = invocation.flag("bootable");
    const bootTimes = bootTimesOption(invocation);
    using repository = await openSelectedRepository(invocation);
    const variant = { bootable, bootTimes, keepUserXattrs: keepsUserXattrs(invocation) };
    const id = await computeImageId(repository, invocation.argument("NAME"), variant);
    if (invocation.json) invocation.output.json({ imageId: id });
    else invocation.output.line(id);
  },
});
