/** `sealroot repo gc`. */
import type { Command } from "../command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../repository-option.ts";

export const repoGc: Command = {
  description: `Deletes objects that no reference needs, links that lead nowhere, and what dead processes left behind. Waits
until nobody else uses the repository.`,
  options: [
    { flags: "-r, --root <ENTRY>", summary: "keep this stream or image too", repeat: true },
    { flags: "-n, --dry-run", summary: "say what would be deleted and delete nothing" },
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot repo gc --repo R --dry-run"],
  reportsJson: true,
  async run(invocation) {
    const { collectGarbage, gcLines } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    const dryRun = invocation.flag("dry-run");
    const report = await collectGarbage(repository, {
      roots: invocation.list("root"),
      dryRun,
      events: invocation.events,
    });
    if (!invocation.json) {
      for (const line of gcLines(report, dryRun)) invocation.output.line(line);
      return;
    }
    const result = {
      objects_removed: report.objectsRemoved,
      objects_bytes: report.objectsBytes,
      images_pruned: report.imagesPruned,
      streams_pruned: report.streamsPruned,
    };
    invocation.output.json({ result, dry_run: dryRun, paths: report.paths });
  },
};
