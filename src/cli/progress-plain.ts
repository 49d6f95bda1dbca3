/** Progress in a log: a line for what is settled, a sign of life now and then, no cursor movement. */
import type { EventSink } from "../events/index.ts";
import { ProgressState } from "./progress-state.ts";
import { amountText, settledLine, speedText } from "./progress-text.ts";
import type { ProgressTarget, ProgressView } from "./progress-view.ts";

/** A log gets a sign of life this often while one step runs. */
const SIGN_INTERVAL_MS = 10_000;

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
    } else if (event.type === "progress" && running !== undefined && nowMs - lastMs >= SIGN_INTERVAL_MS) {
      target.write(`  ${event.step}: ${amountText(event)}${speedText(running)}\n`);
      lastMs = nowMs;
    }
  };
  return { sink, close: () => {} };
}
