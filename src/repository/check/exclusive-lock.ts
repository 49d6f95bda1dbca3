/** Work that needs the repository for itself. */
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep } from "../../events/index.ts";
import type { Repository } from "../repository.ts";

interface ExclusiveOptions {
  /** What for, as in the error: "collect garbage in". */
  readonly purpose: string;
  /** How long to wait for other users of the repository; forever if absent. */
  readonly lockTimeoutMs: number | undefined;
  readonly events: EventSink;
}

/**
 * Waits until nobody else has the repository open, does the work, and goes back to the shared lock.
 * @throws SealrootError `timeout` when others keep it open; what the work throws
 */
export async function withExclusiveLock<T>(
  repository: Repository,
  { purpose, lockTimeoutMs, events }: ExclusiveOptions,
  work: () => Promise<T>,
): Promise<T> {
  repository.assertWritable();
  try {
    const locked = await runStep(events, "wait for other users", () => repository.lock("exclusive", lockTimeoutMs));
    if (!locked) {
      throw new SealrootError("timeout", `Cannot ${purpose} ${repository.path}: others have the repository open`, {
        path: repository.path,
      });
    }
    return await work();
  } finally {
    await repository.lock("shared");
  }
}
