/** `sealroot internals record-boot`, called by its unit once the system is up. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";

/** Longer than anything else at the end of a boot needs the host. */
const WAIT_MS = 60_000;

export const internalsRecordBoot = command({
  description: `Marks the boot entry that was booted as good, and records a deployment that used up its tries before. sealroot-record-boot.service
calls it when boot-complete.target is reached. Doing it again changes nothing.`,
  examples: ["sealroot internals record-boot"],
  async run(invocation) {
    const { currentBoot, failedBootLines, logFailedBoot, openHostWhenFree, recordBoot } = await import(
      "../../host/index.ts"
    );
    using opened = await openHostWhenFree(WAIT_MS);
    if (opened === undefined) {
      throw new SealrootError("unsupported", "Cannot record this boot: this system is not deployed via bootc");
    }
    const { blessed, failed } = await recordBoot(opened.places, {
      boot: currentBoot(),
      now: new Date(),
    });
    if (blessed !== undefined) invocation.output.line(`Boot entry ${blessed} is good`);
    for (const one of failed) {
      for (const line of failedBootLines(one)) invocation.output.line(line);
      await logFailedBoot(one);
    }
  },
});
