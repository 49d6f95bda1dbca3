/** What the event stream adds up to: the steps that run, how far each is, and its subtasks. */
import type { Subtask, WorkEvent } from "../events/index.ts";
import { ProgressRate } from "./progress-rate.ts";

export type ProgressEvent = WorkEvent & { readonly type: "progress" };

/** A step under way. */
export interface RunningStep {
  readonly step: string;
  readonly startedMs: number;
  /** The last report; undefined before the first. */
  progress: ProgressEvent | undefined;
  /** What it is doing, in words; empty before the first report. */
  status: string;
  readonly rate: ProgressRate;
  /** By id, in the order of their first report. */
  readonly subtasks: Map<string, Subtask>;
}

/** Follows the events; views ask it what to show. */
export class ProgressState {
  readonly #running: RunningStep[] = [];

  /** The step that began most recently. */
  get current(): RunningStep | undefined {
    return this.#running.at(-1);
  }

  /**
   * @param nowMs by the same clock as the events' times
   * @returns the step concerned, also when it ends with this event; undefined for a message
   */
  accept(event: WorkEvent, nowMs: number): RunningStep | undefined {
    if (event.type === "message") return undefined;
    if (event.type === "step-started") return this.#start(event.step, event.atMs);
    const index = this.#running.findLastIndex(({ step }) => step === event.step);
    const running = this.#running[index] ?? this.#start(event.step, nowMs);
    if (event.type === "progress") {
      running.progress = event;
      running.rate.add(event.done, nowMs);
    } else if (event.type === "status") {
      running.status = event.text;
    } else if (event.type === "subtask") {
      running.subtasks.set(event.id, event);
    } else if (index >= 0) {
      this.#running.splice(index, 1);
    }
    return running;
  }

  #start(step: string, startedMs: number): RunningStep {
    const started = { step, startedMs, progress: undefined, status: "", rate: new ProgressRate(), subtasks: new Map() };
    this.#running.push(started);
    return started;
  }
}
