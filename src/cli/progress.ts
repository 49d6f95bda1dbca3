/** The views of the event stream: a bar on a terminal, plain lines in a log, JSON lines for programs. */
import type { EventSink } from "../events/index.ts";
import { barView } from "./progress-bar.ts";
import { plainView } from "./progress-plain.ts";
import { messageLine } from "./progress-text.ts";
import type { ProgressTarget, ProgressView } from "./progress-view.ts";

export const PROGRESS_MODES = ["auto", "bar", "plain", "json", "none"] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

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
    if (event.type === "message" && event.level === "warning") target.write(`${messageLine(event)}\n`);
  };
}
