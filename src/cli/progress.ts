/** Three views of the event stream: a bar on a terminal, plain lines in a log, JSON lines for programs. */
import type { EventSink, WorkEvent } from "../events/index.ts";
import { formatBytes, formatDuration } from "./table.ts";

export const PROGRESS_MODES = ["auto", "bar", "plain", "json", "none"] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** A view with an end: `close` removes what must not stay on the screen. */
export interface ProgressView {
  readonly sink: EventSink;
  close(): void;
}

/** Where a view writes; standard error in the real process. */
export interface ProgressTarget {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Redraws at most this often; a terminal needs no more. */
const REDRAW_INTERVAL_MS = 100;
/** A log gets a sign of life this often while one step runs. */
const PLAIN_INTERVAL_MS = 10_000;

/** The view for `mode`; `auto` is the bar on a terminal and plain lines elsewhere. */
export function progressView(mode: ProgressMode, target: ProgressTarget): ProgressView {
  switch (mode) {
    case "none":
      return { sink: warningsOnly(target), close: () => {} };
    case "json":
      return { sink: (event) => void target.write(`${JSON.stringify(event)}\n`), close: () => {} };
    case "plain":
      return plainView(target);
    case "bar":
      return barView(target);
    case "auto":
      return target.isTTY ? barView(target) : plainView(target);
  }
}

function warningsOnly(target: ProgressTarget): EventSink {
  return (event) => {
    if (event.type === "message" && event.level === "warning") target.write(`warning: ${event.text}\n`);
  };
}

function plainView(target: ProgressTarget): ProgressView {
  let lastMs = performance.now();
  const sink: EventSink = (event) => {
    const line = settledLine(event);
    const nowMs = performance.now();
    if (line !== undefined) {
      target.write(`${line}\n`);
      lastMs = nowMs;
    } else if (event.type === "progress" && nowMs - lastMs >= PLAIN_INTERVAL_MS) {
      target.write(`  ${event.step}: ${progressText(event)}\n`);
      lastMs = nowMs;
    }
  };
  return { sink, close: () => {} };
}

function barView(target: ProgressTarget): ProgressView {
  const running: { step: string; startedMs: number }[] = [];
  let detail = "";
  let drawnMs = 0;
  let drawn = false;
  const clear = () => {
    if (drawn) target.write("\r\x1b[K");
    drawn = false;
  };
  const draw = () => {
    const current = running.at(-1);
    if (!current) return;
    const nowMs = performance.now();
    drawnMs = nowMs;
    const text = `  ${current.step}  ${detail}  ${formatDuration(nowMs - current.startedMs)}`;
    target.write(`\r\x1b[K${text.slice(0, Math.max(20, (target.columns ?? 80) - 1))}`);
    drawn = true;
  };
  const timer = setInterval(draw, 500);
  timer.unref();
  const sink: EventSink = (event) => {
    if (event.type === "progress") {
      detail = progressText(event);
      if (performance.now() - drawnMs >= REDRAW_INTERVAL_MS) draw();
      return;
    }
    clear();
    if (event.type === "step-started") {
      running.push({ step: event.step, startedMs: event.atMs });
      detail = "";
    } else if (event.type !== "message") {
      const index = running.findLastIndex((entry) => entry.step === event.step);
      if (index >= 0) running.splice(index, 1);
    }
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

/** The line that stays behind for an event, if one does. A failure is told once, by the error itself. */
function settledLine(event: WorkEvent): string | undefined {
  switch (event.type) {
    case "step-finished":
      return `  ${event.step}  ${formatDuration(event.durationMs)}`;
    case "message":
      return event.level === "warning" ? `warning: ${event.text}` : `  ${event.text}`;
    default:
      return undefined;
  }
}

function progressText(event: WorkEvent & { type: "progress" }): string {
  const quantity = (value: number) => (event.unit === "bytes" ? formatBytes(value) : String(value));
  if (event.total === undefined || event.total === 0) return quantity(event.done);
  const percent = Math.min(100, Math.floor((event.done / event.total) * 100));
  return `${percent} % of ${quantity(event.total)}`;
}
