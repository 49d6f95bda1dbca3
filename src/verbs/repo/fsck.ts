/** `sealroot repo fsck`. */
import { command } from "../shared/command.ts";
import { FSCK_OPTIONS } from "../shared/fsck-options.ts";
import { openSelectedRepository } from "../shared/repository-option.ts";

export const repoFsck = command({
  description: `Checks settings, the content of every object, streams with their references and content, images with
their objects, and all references. Exits with 1 when something is wrong, also with --json.

Without --repair nothing is changed. With it, what is damaged or leads nowhere is removed, and what is missing is fetched
from the images that --from names; what is still wrong then decides the exit code.`,
  options: FSCK_OPTIONS,
  examples: [
    "sealroot repo fsck --repo R",
    "sealroot repo fsck --json=full",
    "sealroot repo fsck --repair --from oci:os",
  ],
  async run(invocation) {
    const repair = invocation.flag("repair");
    const { checked, repaired } = await import("../shared/check-and-repair.ts");
    using repository = await openSelectedRepository(invocation);
    const report = repair ? await repaired(invocation, repository) : await checked(invocation, repository);
    return report.errors.length === 0 ? 0 : 1;
  },
});
