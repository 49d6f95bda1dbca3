/** How fast a quantity grows, and how long it will take. */

/** Older samples no longer count: the speed shown is that of the last seconds. */
const WINDOW_MS = 5000;
/** Samples are taken at most this often. */
const SAMPLE_INTERVAL_MS = 250;
/** Until this much time has passed, no speed is shown. */
const MEASURED_MIN_MS = 500;

interface Sample {
  readonly atMs: number;
  readonly done: number;
}

/** Times are milliseconds of one monotonic clock. */
export class ProgressRate {
  #samples: Sample[] = [];
  #last: Sample | undefined;

  add(done: number, atMs: number): void {
    this.#last = { atMs, done };
    const newest = this.#samples.at(-1);
    if (newest !== undefined && atMs - newest.atMs < SAMPLE_INTERVAL_MS) return;
    this.#samples.push(this.#last);
    // Keep the last one before the window, so that the samples span it.
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - WINDOW_MS) this.#samples.shift();
  }

  /** Units per second; undefined while too little is known. */
  perSecond(): number | undefined {
    const [first] = this.#samples;
    if (first === undefined || this.#last === undefined) return undefined;
    const spanMs = this.#last.atMs - first.atMs;
    return spanMs < MEASURED_MIN_MS ? undefined : ((this.#last.done - first.done) / spanMs) * 1000;
  }

  /** Milliseconds until `total` is reached at this speed; undefined when unknown. */
  leftMs(total: number): number | undefined {
    const rate = this.perSecond();
    if (rate === undefined || rate <= 0 || this.#last === undefined) return undefined;
    return (Math.max(0, total - this.#last.done) / rate) * 1000;
  }
}
