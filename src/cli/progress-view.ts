/** What every view of progress is, and where it writes. */
import type { EventSink } from "../events/index.ts";

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
