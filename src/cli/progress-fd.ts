/**
 * Progress for programs in bootc's shape: JSON lines on a file descriptor (spec/host-lifecycle.md 11; bootc,
 * docs/src/experimental-progress-fd.md). Zero means unknown.
 */
import { writeSync } from "node:fs";
import { hasErrno, SealrootError } from "../errors/index.ts";
import type { EventSink, Subtask } from "../events/index.ts";
import { ProgressState, type RunningStep } from "./progress-state.ts";

/** Version of the lines' format, as bootc states it. */
const FORM_VERSION = "0.1.0";
/** The first three are standard input, output and error. */
const DESCRIPTOR_MIN = 3;
/** At most five lines a second, besides those that say that something is finished. */
const LINE_INTERVAL_MS = 200;
/** Characters of a layer's digest in its description. */
const LAYER_NAME_LENGTH = 20;

/** What bootc calls the pull; other steps have their own name. */
const PULL_STEP = "pull layers";
const PULL_NAMES = { task: "pulling", description: "Pulling composefs image", id: "composefs-pull" };

/**
 * The descriptor that `--progress-fd` names.
 * @throws SealrootError `usage` for anything but a number, or a standard stream
 */
export function parseProgressFd(text: string): number {
  const fd = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (fd >= DESCRIPTOR_MIN) return fd;
  const what = `Cannot report progress on file descriptor "${text}": it is not a number of ${DESCRIPTOR_MIN} or more`;
  throw new SealrootError("usage", what, {
    hint: "open one in the shell: sealroot … --progress-fd 3 3>progress.jsonl",
  });
}

/**
 * A sink that writes lines to an open descriptor. A reader that goes away does not fail the work: nothing more is
 * written then, nor to a descriptor that is not open.
 */
export function progressFdSink(fd: number): EventSink {
  let open = true;
  return progressLines((line) => {
    if (open) open = writeLine(fd, line);
  });
}

/** The lines in bootc's shape, each with its newline, as {@link progressFdSink} writes them. */
export function progressLines(write: (line: string) => void): EventSink {
  const state = new ProgressState();
  let writtenMs = Number.NEGATIVE_INFINITY;
  const writeObject = (value: object) => write(`${JSON.stringify(value)}\n`);
  writeObject({ type: "Start", version: FORM_VERSION });
  return (event) => {
    const nowMs = performance.now();
    const running = state.accept(event, nowMs);
    if (running === undefined) return;
    const isCompletion = event.type === "step-finished" || (event.type === "subtask" && event.state !== "running");
    const isDue = event.type === "progress" && nowMs - writtenMs >= LINE_INTERVAL_MS;
    if (!isCompletion && !isDue) return;
    writtenMs = nowMs;
    writeObject(running.progress?.unit === "bytes" ? bytesObject(running) : stepsObject(running, isCompletion));
  };
}

function bytesObject({ step, progress, subtasks }: RunningStep): object {
  const all = [...subtasks.values()];
  const present = all.filter(({ state }) => state === "present");
  return {
    type: "ProgressBytes",
    ...namesOf(step),
    bytesCached: present.reduce((sum, { done }) => sum + done, 0),
    bytes: progress?.done ?? 0,
    bytesTotal: progress?.total ?? 0,
    stepsCached: present.length,
    steps: all.filter(({ state }) => state === "finished").length,
    stepsTotal: 0,
    subtasks: all.map(subtaskObject),
  };
}

function subtaskObject({ id, state, done, total }: Subtask): object {
  const isPresent = state === "present";
  return {
    subtask: "composefs_layer",
    description: `Layer: ${id.slice(0, LAYER_NAME_LENGTH)}`,
    id,
    bytesCached: isPresent ? done : 0,
    bytes: isPresent ? 0 : done,
    bytesTotal: total ?? 0,
  };
}

/** A step that does not count bytes: its items, or itself as the one thing to do. */
function stepsObject({ step, progress }: RunningStep, isCompletion: boolean): object {
  return {
    type: "ProgressSteps",
    ...namesOf(step),
    stepsCached: 0,
    steps: progress?.done ?? Number(isCompletion),
    stepsTotal: progress === undefined ? 1 : (progress.total ?? 0),
    subtasks: [],
  };
}

function namesOf(step: string) {
  return step === PULL_STEP ? PULL_NAMES : { task: step.replaceAll(" ", "-"), description: step, id: step };
}

/** @returns false when nobody reads there any more */
function writeLine(fd: number, line: string): boolean {
  try {
    writeSync(fd, line);
    return true;
  } catch (error) {
    // A full non-blocking pipe: this line is lost, the next one may fit.
    return hasErrno(error, "EAGAIN");
  }
}
