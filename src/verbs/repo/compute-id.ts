/** `sealroot repo compute-id PATH`. */
import { command } from "../shared/command.ts";
import { DIRECTORY_OPTIONS, directoryTreeFor } from "../shared/directory-option.ts";
import {
  erofsVersionOption,
  hashOption,
  OPTIONAL_REPOSITORY_OPTIONS,
  openOptionalRepository,
} from "../shared/repository-option.ts";

export const repoComputeId = command({
  description: `Prints the id of the image that create-image would make from a directory. Nothing is written. Hash and
version come from the options, else from the repository if there is one, else sha512 and 1.`,
  arguments: [{ name: "PATH", summary: "the root directory" }],
  options: [...DIRECTORY_OPTIONS, ...OPTIONAL_REPOSITORY_OPTIONS],
  reportsJson: true,
  examples: ["sealroot repo compute-id --hash sha512 --bootable rootfs"],
  async run(invocation) {
    const { imageIdOfTree } = await import("../../repository/index.ts");
    using repository = await openOptionalRepository(invocation);
    const algorithm = hashOption(invocation) ?? repository?.algorithm ?? "sha512";
    const version = erofsVersionOption(invocation) ?? repository?.formats.default ?? 1;
    const root = await directoryTreeFor(invocation, invocation.argument("PATH"), algorithm);
    const imageId = imageIdOfTree(root, algorithm, version);
    if (invocation.json) invocation.output.json({ imageId, algorithm, erofsVersion: version });
    else invocation.output.line(imageId);
  },
});
