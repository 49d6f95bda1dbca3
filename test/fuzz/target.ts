/** What is fuzzed: a reader, good inputs to begin with, and what must hold for every input. */
import assert from "node:assert/strict";
import { SealrootError } from "../../src/errors/index.ts";
import { mutateBytes } from "./mutate.ts";
import type { Random } from "./random.ts";

export interface FuzzTarget {
  readonly name: string;
  /** Good inputs, and bad ones that once were trouble. */
  corpus(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Changes a corpus input; {@link mutateBytes} when absent. */
  mutate?(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array;
  /**
   * Reads the input and asserts every property. A refusal passes through {@link refusalOf}; anything else that is
   * thrown is a finding.
   * @returns whether the input was accepted
   */
  run(input: Uint8Array, random: Random): boolean | Promise<boolean>;
}

/** Control characters in a message would let a file name write lines of its own on somebody's terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x1f\x7f]/;
const MESSAGE_MAX_CHARACTERS = 2000;

/**
 * Runs a reader that may refuse its input.
 * @returns what it returned, or the refusal
 */
export async function refusalOf<T>(read: () => T | Promise<T>): Promise<{ value: T } | { refusal: SealrootError }> {
  try {
    return { value: await read() };
  } catch (error) {
    return { refusal: checkRefusal(error) };
  }
}

/** The same for a reader that is not asynchronous. */
export function refusalOfSync<T>(read: () => T): { value: T } | { refusal: SealrootError } {
  try {
    return { value: read() };
  } catch (error) {
    return { refusal: checkRefusal(error) };
  }
}

/** A refusal is our own error with a message of one line that is not the input itself. */
function checkRefusal(error: unknown): SealrootError {
  if (!(error instanceof SealrootError)) throw error;
  assert.doesNotMatch(error.message, CONTROL);
  assert.ok(error.message.length <= MESSAGE_MAX_CHARACTERS, `a message of ${error.message.length} characters`);
  return error;
}

/** The input of one execution, a function of its three names alone. Execution `i` < corpus length is a corpus input. */
export function makeInput(
  target: FuzzTarget,
  corpus: readonly Uint8Array[],
  index: number,
  random: Random,
): Uint8Array {
  const unchanged = corpus[index];
  if (unchanged !== undefined) return unchanged;
  const mutate = target.mutate ?? mutateBytes;
  return mutate(random.pick(corpus), random.pick(corpus), random);
}
