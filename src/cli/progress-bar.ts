/** Progress on a terminal: the lines at the bottom are redrawn, and what is settled stays above them. */
import { oneLine } from "../errors/index.ts";
import type { EventSink, Subtask } from "../events/index.ts";
import { formatDuration } from "../verbs/shared/table.ts";
import { type ProgressEvent, ProgressState, type RunningStep } from "./progress-state.ts";
import { amountText, percentOf, settledLine, speedText } from "./progress-text.ts";
import type { ProgressTarget, ProgressView } from "./progress-view.ts";

/** Redraws at most this often; a terminal needs no more. */
const REDRAW_INTERVAL_MS = 100;
/** The time of a step that reports nothing is updated this often. */
const TICK_INTERVAL_MS = 500;
const BAR_CELLS = 20;
/** Subtasks with a line of their own. */
const SUBTASK_LINES_MAX = 8;
const COLUMNS_MIN = 20;

/** A view that moves the cursor; `target` must be a terminal. */
export function barView(target: ProgressTarget): ProgressView {
  const state = new ProgressState();
  let drawnMs = 0;
  let drawnLines = 0;
  const clear = () => {
    if (drawnLines > 0) target.write(`\r\x1b[K${"\x1b[1A\x1b[K".repeat(drawnLines - 1)}`);
    drawnLines = 0;
  };
  const draw = () => {
    clear();
    const { current } = state;
    if (current === undefined) return;
    drawnMs = performance.now();
    const width = Math.max(COLUMNS_MIN, (target.columns ?? 80) - 1);
    const lines = stepLines(current, drawnMs).map((line) => line.slice(0, width));
    target.write(`\r\x1b[K${lines.join("\n")}`);
    drawnLines = lines.length;
  };
  const timer = setInterval(draw, TICK_INTERVAL_MS);
  timer.unref();
  const sink: EventSink = (event) => {
    state.accept(event, performance.now());
    if (event.type === "progress" || event.type === "subtask" || event.type === "status") {
      if (performance.now() - drawnMs >= REDRAW_INTERVAL_MS) draw();
      return;
    }
    clear();
    const line = settledLine(event);
    if (line !== undefined) target.write(`${line}\n`);
    draw();
  };
  return {
    sink,
    close: () => {
      clearInterval(timer);
      clear();
    },
  };
}

function stepLines(running: RunningStep, nowMs: number): string[] {
  const { step, progress } = running;
  const elapsed = formatDuration(nowMs - running.startedMs);
  const amount = progress === undefined ? "" : `${bar(progress)}${amountText(progress)}`;
  const end = speedText(running) || `  ${elapsed}`;
  const status = running.status === "" ? "" : `  ${oneLine(running.status)}`;
  return [`  ${step}  ${amount}${end}${status}`, ...subtaskLines(running.subtasks.values())];
}

/** A bar for bytes with a total; for items only their number. */
function bar({ done, total, unit }: ProgressEvent): string {
  if (unit !== "bytes" || total === undefined || total === 0) return "";
  const filled = Math.floor((percentOf(done, total) * BAR_CELLS) / 100);
  return `[${"#".repeat(filled)}${"-".repeat(BAR_CELLS - filled)}]  `;
}

function subtaskLines(subtasks: Iterable<Subtask>): string[] {
  const running = [...subtasks].filter(({ state }) => state === "running");
  return running.slice(0, SUBTASK_LINES_MAX).map((subtask) => `    ${subtask.name}  ${amountText(subtask)}`);
}
