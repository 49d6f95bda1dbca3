/** `sealroot repo gc`. */
import type { Repository } from "../../repository/index.ts";
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoGc = command({
  description: `Deletes objects that no reference needs, links that lead nowhere, and what dead processes left behind. Waits
until nobody else uses the repository.`,
  options: [
    { flags: "-r, --root <ENTRY>", summary: "also keep this stream or image", repeat: true },
    { flags: "-n, --dry-run", summary: "only say what would be deleted" },
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot repo gc --repo R --dry-run"],
  reportsJson: true,
  async run(invocation) {
    const { collectGarbage, gcLines, refuseFailures } = await import("../../repository/index.ts");
    using repository = await openSelectedRepository(invocation);
    const roots = invocation.list("root").map((root) => rootEntry(repository, root));
    const dryRun = invocation.flag("dry-run");
    const report = await collectGarbage(repository, {
      roots,
      dryRun,
      events: invocation.events,
    });
    if (!invocation.json) {
      for (const line of gcLines(report, dryRun)) invocation.output.line(line);
      return refuseFailures(report);
    }
    const result = {
      objectsRemoved: report.objectsRemoved,
      objectsBytes: report.objectsBytes,
      imagesPruned: report.imagesPruned,
      streamsPruned: report.streamsPruned,
    };
    refuseFailures(report);
    invocation.output.json({ dryRun, ...result, paths: report.paths });
  },
});

/** A misspelt root would keep nothing, and what was meant would be deleted. @throws SealrootError `not-found` */
function rootEntry(repository: Repository, root: string): string {
  const isImage = repository.images.named(root) !== undefined || repository.images.beginningWith(root).length > 0;
  return (isImage ? repository.images : repository.streams).resolve(root).entry;
}
