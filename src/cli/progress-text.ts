/** Events and steps in words, for terminals and logs. */

import { formatSize } from "../bytes/index.ts";
import { oneLine } from "../errors/index.ts";
import type { Subtask, WorkEvent } from "../events/index.ts";
import { formatDuration } from "../verbs/shared/table.ts";
import type { RunningStep } from "./progress-state.ts";

/** The line that an event leaves, if any. A failure is reported once, by the error itself. */
export function settledLine(event: WorkEvent): string | undefined {
  switch (event.type) {
    case "step-finished":
      return `  ${event.step}  ${formatDuration(event.durationMs)}`;
    case "message":
      return messageLine(event);
    default:
      return undefined;
  }
}

/** What a message says, on one line: parts of it may be untrusted. */
export function messageLine({ level, text }: WorkEvent & { readonly type: "message" }): string {
  return level === "warning" ? `warning: ${oneLine(text)}` : `  ${oneLine(text)}`;
}

/** How far something is: `43 % of 293.0 MB`, or just the quantity if the total is unknown. */
export function amountText({ done, total, unit }: Pick<Subtask, "done" | "total" | "unit">): string {
  const quantity = (value: number) => (unit === "bytes" ? formatSize(value) : String(value));
  if (total === undefined || total === 0) return quantity(done);
  return `${percentOf(done, total)} % of ${quantity(total)}`;
}

/** Whole percent, never more than 100. */
export function percentOf(done: number, total: number): number {
  return Math.min(100, Math.floor((done / total) * 100));
}

/** Speed and time left of a step that moves bytes, each preceded by two spaces; empty while unknown. */
export function speedText({ progress, rate }: RunningStep): string {
  const bytesPerSecond = rate.perSecond();
  if (progress?.unit !== "bytes" || bytesPerSecond === undefined) return "";
  const leftMs = progress.total === undefined ? undefined : rate.leftMs(progress.total);
  const left = leftMs === undefined ? "" : `  ${leftText(leftMs)}`;
  return `  ${formatSize(Math.round(bytesPerSecond))}/s${left}`;
}

/** Whole seconds, as an estimate is not better than that: `12 s left`, `3 min 05 s left`. */
function leftText(leftMs: number): string {
  const seconds = Math.ceil(leftMs / 1000);
  return `${seconds < 100 ? `${seconds} s` : formatDuration(seconds * 1000)} left`;
}
