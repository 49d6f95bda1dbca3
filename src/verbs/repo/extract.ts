/** `sealroot repo extract IMAGE DIR`. */
import { runStep } from "../../events/index.ts";
import { command } from "../shared/command.ts";
import { IMAGE_ARGUMENT, IMAGE_OPTIONS, imageArgument } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoExtract = command({
  description: `Unpacks an image into a directory that does not exist yet or is empty: files, directories, symbolic and hard links,
modes, times, extended attributes. Every content is compared with its digest. DIR gets its name when it is complete.

Owners, devices and security attributes need root. As an ordinary user give --no-same-owner to do without them: files
then belong to the caller, and set-user-id and set-group-id bits are left out too.`,
  arguments: [IMAGE_ARGUMENT, { name: "DIR", summary: "the directory to make" }],
  options: [
    { flags: "--no-same-owner", summary: "leave out owners, devices, all attributes but user.*, set-id bits" },
    { flags: "--no-xattrs", summary: "leave out all extended attributes" },
    ...IMAGE_OPTIONS,
    ...REPOSITORY_OPTIONS,
  ],
  reportsJson: true,
  examples: [
    "sealroot repo extract --repo R my-system rootfs",
    "sealroot repo extract --no-same-owner --bootable os rootfs",
  ],
  async run(invocation) {
    const { extractTree, privilegedPartsText, readStoredTree } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    const { root } = readStoredTree(repository, await imageArgument(invocation, repository));
    const sameOwner = !invocation.negated("same-owner");
    const xattrs = !invocation.negated("xattrs");
    const parts = await runStep(invocation.events, "extract files", (reporter) =>
      extractTree(repository, root, invocation.argument("DIR"), { sameOwner, xattrs, reporter }),
    );
    if (invocation.json) {
      const leftOut = sameOwner ? { owners: 0, devices: 0, xattrs: 0 } : parts;
      invocation.output.json({ directory: invocation.argument("DIR"), leftOut });
      return;
    }
    const leftOut = sameOwner ? undefined : privilegedPartsText(parts);
    if (leftOut !== undefined) invocation.output.remark(`Left out: ${leftOut}`);
  },
});
