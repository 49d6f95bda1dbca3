/** `sealroot image copy-to-storage [NAME]`. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

/** What bootc calls it there (spec/host-lifecycle.md 10). */
const DEFAULT_STORAGE_NAME = "localhost/bootc";

export const imageCopyToStorage = command({
  description: `Copies an image of a repository to podman's store. It keeps its configuration and thus its image id;
layers go uncompressed, as podman keeps them. Needs skopeo.

The target may name a store: [DRIVER@ROOT+RUN]NAME, as in containers-storage:
references.`,
  arguments: [{ name: "NAME", summary: OCI_IMAGE_SUMMARY, holds: "image", optional: true }],
  options: [
    { flags: "--source <NAME>", summary: "the same as the argument, as bootc has it" },
    { flags: "--target <NAME>", summary: `what podman calls it (default: ${DEFAULT_STORAGE_NAME})` },
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot image copy-to-storage --repo R debian --target localhost/debian:sealed"],
  reportsJson: true,
  async run(invocation) {
    const names = [invocation.optionalArgument("NAME"), invocation.option("source")].filter(
      (name) => name !== undefined,
    );
    const [name] = names;
    if (name === undefined || names.length > 1) {
      throw new SealrootError("usage", "Cannot copy the image: name it once, as argument or with --source", {
        hint: "sealroot image list shows the names",
      });
    }
    const { copyToStorage } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const copied = await copyToStorage(repository, name, {
      target: invocation.option("target") ?? DEFAULT_STORAGE_NAME,
      events: invocation.events,
    });
    if (invocation.json) invocation.output.json(copied);
    else invocation.output.line(`Copied to ${copied.reference}`);
  },
});
