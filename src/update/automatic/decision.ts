/** When a host asks for an update, and when it reboots into one: a function of settings, clock and what was before. */
import type { UpdateSettings } from "./settings.ts";
import { minutesInWindow, type WallClock } from "./window.ts";

/** What a host remembers of its own questions. Milliseconds are since 1970. */
export interface UpdateRecord {
  /** Of the last question, however it ended; undefined if there was none. */
  readonly lastCheckMs: number | undefined;
  /** In a row; 0 after a success. */
  readonly failures: number;
  /** A staged deployment that is not rebooted into, as a hook has failed for it. */
  readonly heldDeploymentId: string | undefined;
}

export interface UpdateSituation {
  readonly settings: UpdateSettings;
  readonly record: Pick<UpdateRecord, "lastCheckMs" | "failures">;
  /** This host's number between 0 and 1 for a purpose (spread.ts). */
  readonly fraction: (purpose: string) => number;
  readonly nowMs: number;
  readonly bootMs: number;
  /** Now, in the time zone of the settings. */
  readonly clock: WallClock;
  /** A deployment waits for the next boot, and nobody has locked it. */
  readonly isStaged: boolean;
}

export interface UpdateDecision {
  /** Ask the registry now, and stage what is new. */
  readonly check: boolean;
  /** When the next question is due; not after now if `check`. */
  readonly nextCheckMs: number;
  /** Reboot into what is staged now, or will be once this run has staged it. */
  readonly apply: boolean;
  /** Why not, in words, where something would have to be done. */
  readonly reasons: readonly string[];
}

/** After the first failure; doubled by each further one up to the interval. */
const BACKOFF_FIRST_MS = 10 * 60_000;
/** The least and the greatest part of a back-off that a host waits. */
const BACKOFF_SPREAD = { least: 0.75, range: 0.5 };
/** What was missed while the machine was off is asked for within this long after the boot. */
const CATCH_UP_MS = 3_600_000;
/** A question that came late makes the next one superfluous when that is nearer than this part of the interval. */
const NEAR_PART = 0.25;
/** Reboots are spread over this part of a window, so that the last ones are over before it closes. */
const WINDOW_PART = 0.5;

/** Decides what is to be done now. */
export function decideUpdate(situation: UpdateSituation): UpdateDecision {
  const nextCheckMs = dueMs(situation);
  const reasons: string[] = [];
  const check = nextCheckMs <= situation.nowMs;
  const refusal = applyRefusal(situation);
  if (situation.isStaged && refusal !== undefined) reasons.push(refusal);
  return { check, nextCheckMs, apply: refusal === undefined, reasons };
}

/**
 * Every host has its own moment in each interval, which depends on nothing but the host: hosts that were started together,
 * or have updated together, do not ask together.
 */
function dueMs({ settings, record, fraction, nowMs, bootMs }: UpdateSituation): number {
  const { intervalMs, jitterMs } = settings;
  const { lastCheckMs, failures } = record;
  // A clock that was set back would keep the host silent for as long.
  const last = lastCheckMs !== undefined && lastCheckMs <= nowMs ? lastCheckMs : undefined;
  if (last !== undefined && failures > 0) {
    const { least, range } = BACKOFF_SPREAD;
    const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 30), intervalMs);
    return last + backoffMs * (least + range * fraction(`back-off ${failures}`));
  }
  const offsetMs = fraction("check") * jitterMs;
  const earliestMs = last === undefined ? bootMs - intervalMs : last + intervalMs * NEAR_PART;
  const slotMs = Math.ceil((earliestMs - offsetMs) / intervalMs) * intervalMs + offsetMs;
  if (slotMs >= bootMs) return slotMs;
  return bootMs + fraction("catch up") * Math.min(CATCH_UP_MS, intervalMs);
}

/** @returns undefined when nothing is against it */
function applyRefusal({ settings, fraction, clock }: UpdateSituation): string | undefined {
  if (settings.apply === "never") return "the settings leave the reboot to somebody";
  if (settings.windows.length === 0) return undefined;
  const open = settings.windows
    .map((window) => ({ window, minutes: minutesInWindow(window, clock) }))
    .filter((one) => one.minutes !== undefined);
  if (open.length === 0) return "no window is open";
  const part = fraction("apply") * WINDOW_PART;
  const isReached = open.some(({ window, minutes = 0 }) => minutes >= part * window.lengthMinutes);
  return isReached ? undefined : "this host's moment in the window is still to come";
}
