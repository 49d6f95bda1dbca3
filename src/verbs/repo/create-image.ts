/** `sealroot repo create-image PATH [NAME]`. */
import { runStep } from "../../events/index.ts";
import { command } from "../shared/command.ts";
import { DIRECTORY_OPTIONS, directoryTreeFor } from "../shared/directory-option.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoCreateImage = command({
  description: `Stores a directory's files as objects and its tree as an EROFS image, and prints the image's id. Where the file
system can, objects share the files' blocks.`,
  arguments: [
    { name: "PATH", summary: "the root directory of the image" },
    { name: "NAME", summary: "a reference to make, images/refs/NAME", optional: true },
  ],
  options: [
    ...DIRECTORY_OPTIONS,
    { flags: "--link-files", summary: "hard links to the files, which get fs-verity and become read-only" },
    ...REPOSITORY_OPTIONS,
  ],
  reportsJson: true,
  examples: ["sealroot repo create-image --repo R rootfs my-system"],
  async run(invocation) {
    const { storeTreeImages } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    repository.assertWritable();
    const root = await directoryTreeFor(invocation, invocation.argument("PATH"), repository.algorithm, {
      store: repository,
      linkFiles: invocation.flag("link-files"),
    });
    const name = invocation.optionalArgument("NAME");
    await repository.restWorkers(); // their memory is better spent on a large tree and its image
    const id = await runStep(invocation.events, "write image", () => storeTreeImages(repository, root, name));
    const { algorithm } = repository;
    if (invocation.json) invocation.output.json({ imageId: id, algorithm, name: name ?? null });
    else invocation.output.line(`${algorithm}:${id}`);
  },
});
