/** `sealroot repo fsck`. */
import { oneLine } from "../../errors/index.ts";
import { checkRepository, fsckJson, fsckLines } from "../../repository/index.ts";
import type { Command } from "../command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../repository-option.ts";

export const repoFsck: Command = {
  description: `Checks settings, the content of every object, streams with what they refer to and stand for, images with their
objects, and all references. Changes nothing. Exits with 1 when something is wrong, with --json too.`,
  options: [
    { flags: "--metadata-only", summary: "do not read the contents of objects and streams" },
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot repo fsck --repo R", "sealroot repo fsck --json"],
  reportsJson: true,
  async run(invocation) {
    using repository = await openSelectedRepository(invocation);
    const report = await checkRepository(repository, {
      metadataOnly: invocation.flag("metadata-only"),
      events: invocation.events,
    });
    if (invocation.json) invocation.output.json(fsckJson(report));
    else for (const line of fsckLines(report)) invocation.output.line(line);
    for (const { path } of report.leftovers) invocation.output.remark(oneLine(`left over, gc removes it: ${path}`));
    return report.errors.length === 0 ? 0 : 1;
  },
};
