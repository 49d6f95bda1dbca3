/** What long work is doing, as replies that are continued. */
import type { EventSink, WorkEvent } from "../events/index.ts";

/** Between two reports of one step's progress. */
const PAUSE_MS = 200;

/** One report, as the type Progress of the interface. */
export type Progress = Readonly<Record<"step" | "state" | "done" | "total" | "unit" | "message", unknown>>;

/** Sends what an administrator wants to see; progress at most five times a second. */
export function progressSink(send: (progress: Progress) => void): EventSink {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (event.type === "subtask" || event.type === "status") return;
    if (event.type === "progress") {
      const nowMs = performance.now();
      if (event.done !== event.total && nowMs - lastMs < PAUSE_MS) return;
      lastMs = nowMs;
    }
    send(progressOf(event));
  };
}

type Reported = Exclude<WorkEvent, { readonly type: "subtask" | "status" }>;

function progressOf(event: Reported): Progress {
  const empty = { step: null, done: null, total: null, unit: null, message: null };
  switch (event.type) {
    case "step-started":
      return { ...empty, state: "started", step: event.step };
    case "step-finished":
      return { ...empty, state: "finished", step: event.step };
    case "step-failed":
      return { ...empty, state: "failed", step: event.step, message: event.message };
    case "progress": {
      const { step, done, total = null, unit } = event;
      return { ...empty, state: "running", step, done, total, unit };
    }
    case "message":
      return { ...empty, state: event.level, message: event.text };
  }
}
