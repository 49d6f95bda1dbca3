/**
 * events: the one stream of what long work is doing. Types and a tiny step runner; no printing, no clock but the
 * injected one. The terminal bar, the plain lines and the JSON lines in `cli/` are three views of it.
 * @module
 */
import { reasonOf, SealrootError } from "../errors/index.ts";

/** What long work reports. Times are milliseconds of a monotonic clock. */
export type WorkEvent =
  | { readonly type: "step-started"; readonly step: string; readonly atMs: number }
  | { readonly type: "step-finished"; readonly step: string; readonly atMs: number; readonly durationMs: number }
  | { readonly type: "step-failed"; readonly step: string; readonly atMs: number; readonly message: string }
  /** Progress inside the running step; `total` undefined when it cannot be known. */
  | {
      readonly type: "progress";
      readonly step: string;
      readonly done: number;
      readonly total: number | undefined;
      readonly unit: "bytes" | "items";
    }
  /** What the running step is doing, in words that a later report replaces. */
  | { readonly type: "status"; readonly step: string; readonly text: string }
  | (Subtask & { readonly type: "subtask"; readonly step: string })
  | { readonly type: "message"; readonly level: "info" | "warning"; readonly text: string };

/** One of the things that a step does side by side, such as a layer of a pull; their sum is the step's own progress. */
export interface Subtask {
  /** Distinguishes it from the step's other subtasks, such as the layer's digest. */
  readonly id: string;
  /** As the user reads it. */
  readonly name: string;
  /** `present`: there was nothing to do. */
  readonly state: "running" | "finished" | "present";
  readonly done: number;
  readonly total: number | undefined;
  readonly unit: "bytes" | "items";
}

/** Receives events. Must not throw. */
export type EventSink = (event: WorkEvent) => void;

/** A sink for callers who do not want to know. */
export const silent: EventSink = () => {};

/** Lets a piece of work report under its step's name. */
export interface StepReporter {
  /** Progress of the step; cheap enough to call for every chunk (views throttle). */
  progress(done: number, total: number | undefined, unit: "bytes" | "items"): void;
  /** What the step is doing, such as the last line of a console; cheap enough to call for each. */
  status(text: string): void;
  /** How far one part of the step is; the last report of each has a state other than `running`. */
  subtask(subtask: Subtask): void;
  info(text: string): void;
  warn(text: string): void;
}

/**
 * Runs one named step: reports its start, its end with the time it took, or its failure, and passes the result or the
 * error through; a SealrootError then names the step.
 *
 * @param sink where the events go
 * @param step the step's name as the user reads it: a verb phrase such as "hash objects"
 */
export async function runStep<T>(
  sink: EventSink,
  step: string,
  work: (reporter: StepReporter) => Promise<T> | T,
): Promise<T> {
  const startedMs = performance.now();
  sink({ type: "step-started", step, atMs: startedMs });
  const reporter: StepReporter = {
    progress: (done, total, unit) => sink({ type: "progress", step, done, total, unit }),
    status: (text) => sink({ type: "status", step, text }),
    subtask: (subtask) => sink({ type: "subtask", step, ...subtask }),
    info: (text) => sink({ type: "message", level: "info", text }),
    warn: (text) => sink({ type: "message", level: "warning", text }),
  };
  try {
    const result = await work(reporter);
    const endedMs = performance.now();
    sink({ type: "step-finished", step, atMs: endedMs, durationMs: endedMs - startedMs });
    return result;
  } catch (error) {
    sink({ type: "step-failed", step, atMs: performance.now(), message: reasonOf(error) });
    throw error instanceof SealrootError ? error.during(step) : error;
  }
}
