/** `sealroot repo images`. */
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";
import { textTable } from "../shared/table.ts";

/** Enough digits of a digest to tell images apart at a glance. */
const SHORT_DIGEST_LENGTH = 12;

export const repoImages = command({
  description: "Lists the named images (images/refs). Images pulled from registries have no name here: see image list.",
  options: [{ flags: "--no-trunc", summary: "show whole digests" }, ...REPOSITORY_OPTIONS],
  examples: ["sealroot repo images --repo R"],
  reportsJson: true,
  async run(invocation) {
    using repository = await openSelectedRepository(invocation);
    const images = repository.images
      .references()
      .map(({ name, entry }) => ({ name, digest: `${repository.algorithm}:${entry}` }));
    if (invocation.json) {
      invocation.output.json({ images });
      return;
    }
    const shorten = (digest: string) =>
      invocation.negated("trunc") ? digest : digest.slice(0, digest.indexOf(":") + 1 + SHORT_DIGEST_LENGTH);
    const rows = images.map(({ name, digest }) => [name, shorten(digest)]);
    for (const line of textTable([["NAME", "DIGEST"], ...rows])) invocation.output.line(line);
  },
});
