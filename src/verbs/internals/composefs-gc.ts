/** `sealroot internals composefs-gc`, as bootc has it. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { INCOMPLETE_EXIT_CODE, openHostToCollect } from "../shared/host-garbage.ts";

export const internalsComposefsGc = command({
  description: `Removes boot files that no boot entry names; with --prune-repo also state directories and objects that no deployment
has. The words are bootc's; sealroot gc says more.`,
  options: [
    { flags: "--dry-run", summary: "only say what would be removed" },
    { flags: "--assert-no-op", summary: "as --dry-run, and fail when anything would be removed" },
    { flags: "--prune-repo", summary: "also state directories and the repository" },
  ],
  examples: ["sealroot internals composefs-gc --dry-run --prune-repo"],
  async run(invocation) {
    const { collectHost, isNoOp, nextRootImage } = await import("../../host/index.ts");
    const assertNoOp = invocation.flag("assert-no-op");
    const dryRun = invocation.flag("dry-run") || assertNoOp;
    const scope = invocation.flag("prune-repo") ? "all" : "boot";
    using opened = openHostToCollect(dryRun);
    const collection = await collectHost(opened.places, {
      preparedImage: nextRootImage(),
      dryRun,
      scope,
      events: invocation.events,
    });
    const {
      objectsRemoved = 0,
      objectsBytes = 0,
      imagesPruned = 0,
      streamsPruned = 0,
    } = collection.images?.report ?? {};
    if (dryRun) invocation.output.line("Dry run (no files deleted)");
    invocation.output.line(`Objects: ${objectsRemoved} removed (${objectsBytes} bytes)`);
    if (imagesPruned + streamsPruned > 0) {
      invocation.output.line(`Pruned symlinks: ${imagesPruned} images, ${streamsPruned} streams`);
    }
    for (const { subject, error } of collection.problems) invocation.output.remark(`${subject}: ${error.message}`);
    if (assertNoOp && !isNoOp(collection)) {
      throw new SealrootError("failed", "Garbage collection would remove something", {
        hint: "sealroot gc --dry-run says what",
      });
    }
    return collection.isIncomplete ? INCOMPLETE_EXIT_CODE : 0;
  },
});
