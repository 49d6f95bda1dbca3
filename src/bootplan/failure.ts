/** What the machine does when its root cannot be made: reboot into another entry, or stop (spec/boot-chain.md I.2). */
import { BOOT_TRIES, parseCountedName } from "../bls/boot-counting.ts";
import { describeError, oneLine } from "../errors/index.ts";

export interface FailureDecision {
  readonly action: "reboot" | "stop";
  /** Why, and what to do, as one sentence without a period. */
  readonly reason: string;
}

/**
 * Decides between rebooting and stopping.
 *
 * Rebooting helps as long as the boot loader counts the tries of this entry and has another entry afterwards. It keeps
 * counting below zero if there is none, which would never end: hence the stop once more tries are done than were given.
 *
 * @param loaderBootCountPath the EFI variable LoaderBootCountPath: the entry's path with its counter
 */
export function decideFailure(loaderBootCountPath: string | undefined): FailureDecision {
  const count = loaderBootCountPath === undefined ? undefined : parseCountedName(loaderBootCountPath).count;
  if (count === undefined) {
    return {
      action: "stop",
      reason: "restart and choose another entry in the boot menu, or repair the disk from another system",
    };
  }
  if (count.left > 0) {
    return { action: "reboot", reason: `the boot loader counts: ${count.left} tries left for this entry` };
  }
  if (count.done <= BOOT_TRIES) {
    return { action: "reboot", reason: "the boot loader counts: no try left, it takes another entry if there is one" };
  }
  return {
    action: "stop",
    reason: `this entry failed ${count.done} times and there is no other; repair the disk from another system`,
  };
}

/** The lines that tell a person at the console what happened and what happens now. */
export function describeFailure(error: unknown, decision: FailureDecision): string[] {
  const end = decision.action === "reboot" ? "Rebooting" : "Stopped";
  return [...describeError(error), oneLine(`${end}: ${decision.reason}`)];
}
