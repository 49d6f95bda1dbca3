/** Looking for a text in growing console output. */
import type { ConsoleLog } from "./console.ts";

/** Longest text that is found across the end of what was searched before. */
const OVERLAP_CHARACTERS = 4096;

/** Searches every part of the output once, however often it is called. */
export class ConsoleSearch {
  readonly #console: ConsoleLog;
  readonly #pattern: RegExp;
  #position = 0;

  /** @param pattern must not have the flags `g` or `y` */
  constructor(console: ConsoleLog, pattern: RegExp) {
    this.#console = console;
    this.#pattern = pattern;
  }

  /** The first match in what was printed since the last call (the first call: ever). */
  find(): string | undefined {
    const match = this.#pattern.exec(this.#console.textFrom(this.#position - OVERLAP_CHARACTERS));
    this.#position = this.#console.position;
    return match?.[0];
  }
}
