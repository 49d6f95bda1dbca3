/** `sealroot repo transaction`. */
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

/** The longest timer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const repoTransaction = command({
  description: `Holds the shared lock of a repository until the process ends, so that gc waits. Says on standard error
when it has the lock.`,
  options: REPOSITORY_OPTIONS,
  examples: ["sealroot repo transaction --repo R &"],
  async run(invocation) {
    using repository = await openSelectedRepository(invocation);
    invocation.output.remark(`Holding the lock of ${repository.path}`);
    // A promise alone does not keep the process alive; the kernel releases the lock when a signal ends it.
    await new Promise<never>(() => setInterval(() => {}, TIMER_MAX_MS));
  },
});
