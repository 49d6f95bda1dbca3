/** `sealroot composefs-finalize-staged`, called by its unit when the system goes down. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

/** Longer than an upgrade that is being ended needs to let go of the host. */
const WAIT_MS = 60_000;

export const composefsFinalizeStaged = command({
  description: `Merges /etc of the staged deployment and switches the boot entries to it. sealroot-finalize-staged.service calls it at
shutdown. Does nothing when no deployment is staged, or when it was only downloaded.`,
  examples: ["sealroot composefs-finalize-staged"],
  async run(invocation) {
    const { nextRootImage, openHostWhenFree, refreshNextRoot } = await import("../../host/index.ts");
    const { finalizeStaged } = await import("../../update/index.ts");
    using opened = await openHostWhenFree(WAIT_MS);
    if (opened === undefined) {
      throw new SealrootError("unsupported", "Cannot finalize: this system is not deployed via bootc");
    }
    const { places } = opened;
    const outcome = await finalizeStaged(places, {
      etcPath: "/etc",
      preparedImage: nextRootImage(),
      refreshNextRoot: (deploymentId) => refreshNextRoot(places, deploymentId),
      events: invocation.events,
    });
    if (outcome.kind === "finalized") invocation.output.line(`The next boot takes ${outcome.deploymentId}`);
  },
});
