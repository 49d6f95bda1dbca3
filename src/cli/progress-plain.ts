/** Progress in a log: a line for what is settled, an occasional sign of life, no cursor movement. */
import { oneLine } from "../errors/index.ts";
import type { EventSink, WorkEvent } from "../events/index.ts";
import { formatDuration } from "../verbs/shared/table.ts";
import { ProgressState, type RunningStep } from "./progress-state.ts";
import { amountText, settledLine, speedText } from "./progress-text.ts";
import type { ProgressTarget, ProgressView } from "./progress-view.ts";

/** A log gets a sign of life this often while one step runs. */
const SIGN_INTERVAL_MS = 10_000;

/** How far a step is: its quantity, or its time and what it is doing. */
function signOfLife(event: WorkEvent, running: RunningStep, nowMs: number): string | undefined {
  if (event.type === "progress") return `${amountText(event)}${speedText(running)}`;
  if (event.type === "status") return `${formatDuration(nowMs - running.startedMs)}  ${oneLine(event.text)}`;
  return undefined;
}

/** Lines for steps that end and for messages. */
export function plainView(target: ProgressTarget): ProgressView {
  const state = new ProgressState();
  let lastMs = performance.now();
  const sink: EventSink = (event) => {
    const nowMs = performance.now();
    const running = state.accept(event, nowMs);
    const line = settledLine(event);
    if (line !== undefined) {
      target.write(`${line}\n`);
      lastMs = nowMs;
    } else if (running !== undefined && nowMs - lastMs >= SIGN_INTERVAL_MS) {
      const sign = signOfLife(event, running, nowMs);
      if (sign === undefined) return;
      target.write(`  ${running.step}: ${sign}\n`);
      lastMs = nowMs;
    }
  };
  return { sink, close: () => {} };
}
