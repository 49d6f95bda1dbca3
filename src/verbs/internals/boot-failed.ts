/** `sealroot internals boot-failed`, called by its unit before a new system that is not well is restarted. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

/** The machine restarts afterwards in any case. */
const WAIT_MS = 20_000;

export const internalsBootFailed = command({
  description: `Writes down which health check or unit failed, for the system that is fallen back to. sealroot-boot-failed.service calls it
when boot-complete.target is not reached in a boot whose tries are counted, and restarts the machine.`,
  examples: ["sealroot internals boot-failed"],
  async run(invocation) {
    const { currentBoot, openHostWhenFree, recordFailedBoot } = await import("../../host/index.ts");
    using opened = await openHostWhenFree(WAIT_MS);
    if (opened === undefined) {
      throw new SealrootError("unsupported", "Cannot record this boot: this system is not deployed via bootc");
    }
    const failure = await recordFailedBoot(opened.places, currentBoot());
    if (failure === undefined) invocation.output.line("The boot loader does not count this boot");
    else invocation.output.line(`This boot failed: ${failure.message}`);
  },
});
