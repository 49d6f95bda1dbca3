/** What something is, as a tree of parts: no part is good or bad, and one that cannot be read says so and hides no other. */
import { asSealrootError, type ErrorCode } from "../errors/index.ts";

export type Fact = string | number | boolean | readonly string[];

export interface Part {
  /** What it is, such as `UKI`, `partition`, `signature`. */
  readonly kind: string;
  readonly name: string;
  /** By names in camelCase; sizes are bytes. */
  readonly facts: Readonly<Record<string, Fact>>;
  /** Why it could not be read, or not to the end. */
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  readonly parts: readonly Part[];
}

/** A part while it is read. */
export class PartDraft {
  readonly #kind: string;
  readonly #name: string;
  readonly #facts: Record<string, Fact> = {};
  readonly #parts: Part[] = [];
  #error: Part["error"];

  constructor(kind: string, name: string) {
    this.#kind = kind;
    this.#name = name;
  }

  /** Adds a fact, unless there is none. */
  fact(name: string, value: Fact | undefined): this {
    if (value !== undefined) this.#facts[name] = value;
    return this;
  }

  add(...parts: readonly Part[]): this {
    this.#parts.push(...parts);
    return this;
  }

  /** Runs what reads more of it; the first failure is kept. */
  attempt(work: () => void): this {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
    return this;
  }

  /** As {@link attempt}. */
  async attemptAsync(work: () => Promise<void>): Promise<this> {
    try {
      await work();
    } catch (error) {
      this.#failed(error);
    }
    return this;
  }

  finish(): Part {
    const error = this.#error;
    const base = { kind: this.#kind, name: this.#name, facts: this.#facts };
    return { ...base, ...(error === undefined ? {} : { error }), parts: this.#parts };
  }

  #failed(thrown: unknown): void {
    const { code, message } = asSealrootError(thrown, "Cannot read it");
    this.#error ??= { code, message };
  }
}
