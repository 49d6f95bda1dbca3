/** `sealroot gc` */
import { command } from "../shared/command.ts";
import { INCOMPLETE_EXIT_CODE, openHostToCollect } from "../shared/host-garbage.ts";

export const gc = command({
  description: `Makes room on this host: removes boot files, state directories, tags and objects that no deployment has, and what
interrupted work left. What is booted, staged, pinned or in the boot menu stays, with every image that its UKI names; so
does everything that something unreadable could lead to. Files of other systems are not looked at. Waits until nobody
else uses the repository, such as a pull.`,
  options: [{ flags: "-n, --dry-run", summary: "only say what would be removed" }],
  examples: ["sealroot gc --dry-run", "sealroot gc"],
  reportsJson: true,
  async run(invocation) {
    const { collectHost, collectionJson, collectionLines, nextRootImage } = await import("../../host/index.ts");
    const dryRun = invocation.flag("dry-run");
    using opened = openHostToCollect(dryRun);
    const { events } = invocation;
    const collection = await collectHost(opened.places, {
      preparedImage: nextRootImage(),
      dryRun,
      scope: "all",
      events,
    });
    if (invocation.json) invocation.output.json(collectionJson(collection));
    else {
      for (const line of collectionLines(collection)) invocation.output.line(line);
      for (const { subject, error } of collection.problems) invocation.output.remark(`${subject}: ${error.message}`);
    }
    return collection.isIncomplete ? INCOMPLETE_EXIT_CODE : 0;
  },
});
