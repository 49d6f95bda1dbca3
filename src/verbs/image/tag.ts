/** `sealroot image tag IMAGE NAME` and `sealroot image untag NAME`. */
import { command } from "../shared/command.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const imageTag = command({
  arguments: [
    { name: "IMAGE", summary: OCI_IMAGE_SUMMARY, holds: "image" },
    { name: "NAME", summary: "the tag it gets" },
  ],
  options: REPOSITORY_OPTIONS,
  examples: ["sealroot image tag --repo R docker://quay.io/example/os:13 stable"],
  reportsJson: true,
  async run(invocation) {
    const { findImage, tagImage } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const [image, name] = [invocation.argument("IMAGE"), invocation.argument("NAME")];
    const { manifestDigest } = await findImage(repository, image);
    await tagImage(repository, manifestDigest, name);
    if (invocation.json) invocation.output.json({ name, manifestDigest });
    else invocation.output.line(`Tagged ${manifestDigest} as ${name}`);
  },
});

export const imageUntag = command({
  description: "Removes a tag. The image's objects stay until repo gc finds that nothing needs them.",
  arguments: [{ name: "NAME", summary: "the tag", holds: "image" }],
  options: REPOSITORY_OPTIONS,
  examples: ["sealroot image untag --repo R debian:stable"],
  reportsJson: true,
  async run(invocation) {
    const { untagImage } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const name = invocation.argument("NAME");
    untagImage(repository, name);
    if (invocation.json) invocation.output.json({ removed: name });
    else invocation.output.line(`Removed tag ${name}`);
  },
});
