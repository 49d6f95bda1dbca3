/** `sealroot repo fsck`. */
import { SealrootError } from "../../errors/index.ts";
import type { Command } from "../command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../repository-option.ts";

export const repoFsck: Command = {
  description: `Checks settings, the content of every object, streams with what they refer to and stand for, images with their
objects, and all references. Exits with 1 when something is wrong, with --json too.

Without --repair nothing is changed. With it, what is damaged or leads nowhere is removed, and what is missing is fetched
from the images that --from names; what then still is wrong decides the exit code.`,
  options: [
    { flags: "--metadata-only", summary: "do not read the contents of objects and streams" },
    { flags: "--repair", summary: "remove what is damaged; waits until nobody else uses the repository" },
    { flags: "--from <IMAGE>", summary: "with --repair: fetch what is missing of this image again", repeat: true },
    { flags: "--json [FORM]", summary: "print the result as JSON; full: with everything known", choices: ["full"] },
    ...REPOSITORY_OPTIONS,
  ],
  examples: [
    "sealroot repo fsck --repo R",
    "sealroot repo fsck --json=full",
    "sealroot repo fsck --repair --from oci:os",
  ],
  async run(invocation) {
    const repair = invocation.flag("repair");
    if (!repair && invocation.list("from").length > 0) {
      throw new SealrootError("usage", "Cannot fetch anything: --from needs --repair");
    }
    if (repair && invocation.flag("metadata-only")) {
      throw new SealrootError("usage", "Cannot repair what was not read: give --repair or --metadata-only");
    }
    const { checked, repaired } = await import("../check-and-repair.ts");
    using repository = await openSelectedRepository(invocation);
    const report = repair ? await repaired(invocation, repository) : await checked(invocation, repository);
    return report.errors.length === 0 ? 0 : 1;
  },
};
