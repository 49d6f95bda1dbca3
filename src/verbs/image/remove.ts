/** `sealroot image remove NAME`. */
import { command } from "../shared/command.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const imageRemove = command({
  description: `Removes a tag, or all tags of an image that is given by its digest. The image's objects stay until repo
gc finds that nothing needs them: other images may share them.`,
  arguments: [{ name: "NAME", summary: OCI_IMAGE_SUMMARY, holds: "image" }],
  options: [{ flags: "--force", summary: "also remove the tag of a deployment" }, ...REPOSITORY_OPTIONS],
  examples: ["sealroot image remove --repo R debian:stable", "sealroot image remove --repo R @sha256:8daf…"],
  reportsJson: true,
  async run(invocation) {
    const { removeImage } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const force = invocation.flag("force");
    const { manifestDigest, removed, kept } = await removeImage(repository, invocation.argument("NAME"), { force });
    if (invocation.json) {
      invocation.output.json({ manifestDigest, removed, kept });
      return;
    }
    for (const tag of removed) invocation.output.line(`Removed tag ${tag}`);
    const rest = kept.length > 0 ? `it still has the tags: ${kept.join(", ")}` : "repo gc deletes what nothing needs";
    invocation.output.remark(`${manifestDigest}: ${rest}`);
  },
});
