/** `sealroot repo create-dumpfile PATH`. */
import { command } from "../shared/command.ts";
import { DIRECTORY_OPTIONS, directoryTreeFor } from "../shared/directory-option.ts";
import { hashOption, OPTIONAL_REPOSITORY_OPTIONS, openOptionalRepository } from "../shared/repository-option.ts";

export const repoCreateDumpfile = command({
  description:
    "Prints the tree that create-image would make from a directory, as composefs dump text. Nothing is written.",
  arguments: [{ name: "PATH", summary: "the root directory" }],
  options: [...DIRECTORY_OPTIONS, ...OPTIONAL_REPOSITORY_OPTIONS],
  examples: ["sealroot repo create-dumpfile rootfs | sealroot repo mkcomposefs --from-file - image.erofs"],
  async run(invocation) {
    const { formatDump } = await import("../../tree/index.ts");
    using repository = await openOptionalRepository(invocation);
    const algorithm = hashOption(invocation) ?? repository?.algorithm ?? "sha512";
    const root = await directoryTreeFor(invocation, invocation.argument("PATH"), algorithm);
    await invocation.output.bytes(formatDump(root));
  },
});
