/**
 * Finds the last of many rules that matches: an automaton made deterministic as far as the input needs it. Time grows
 * with the input's length, not with the number or shape of the rules.
 */
import type { ByteString } from "../bytes/index.ts";
import type { Automaton } from "./automaton.ts";
import { CONSUME, CompactCode, MATCH, SPLIT, START } from "./compact-code.ts";

/** A set of places in the automaton at which a byte is consumed, and what was matched on the way there. */
interface MatcherState {
  readonly places: Int32Array;
  /** Highest rule that matches if the input ends here, or -1. */
  readonly lastRule: number;
  readonly next: Map<number, MatcherState>;
}

/** The kept states hold at most this many places; then all are dropped and rebuilt. */
const PLACES_MAX = 8_000_000;

export class RuleMatcher {
  readonly #code: CompactCode;
  readonly #starts: readonly number[];
  /** States by a hash of their places. */
  #states = new Map<number, MatcherState[]>();
  #placesKept = 0;
  #startState: MatcherState | undefined;
  /** Marks of the set under construction: `#seen[place] === #generation`. */
  readonly #seen: Uint32Array;
  #generation = 0;

  constructor(automaton: Automaton) {
    this.#code = new CompactCode(automaton);
    this.#starts = automaton.starts;
    this.#seen = new Uint32Array(automaton.instructions.length);
  }

  /** The highest number of the rules that match the whole input, or -1. */
  lastMatch(input: ByteString): number {
    let state = this.#start();
    for (let at = 0; at < input.length; at++) {
      if (state.places.length === 0) return -1;
      const byte = input.charCodeAt(at);
      state = state.next.get(byte) ?? this.#step(state, byte);
    }
    return state.lastRule;
  }

  #start(): MatcherState {
    this.#startState ??= this.#stateOf(this.#starts, true);
    return this.#startState;
  }

  #step(state: MatcherState, byte: number): MatcherState {
    const { sets, next: follow, other } = this.#code;
    const reached: number[] = [];
    for (const place of state.places) {
      if (sets[(other[place] as number) + byte] === 1) reached.push(follow[place] as number);
    }
    const next = this.#stateOf(reached, false);
    state.next.set(byte, next);
    return next;
  }

  /** The state for these places and all that are reached from them without a byte. */
  #stateOf(from: readonly number[], isStart: boolean): MatcherState {
    this.#generation++;
    const places: number[] = [];
    let lastRule = -1;
    const pending = [...from];
    const { ops, next, other } = this.#code;
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      if (this.#seen[place] === this.#generation) continue;
      this.#seen[place] = this.#generation;
      const op = ops[place];
      if (op === CONSUME) places.push(place);
      else if (op === MATCH) lastRule = Math.max(lastRule, other[place] as number);
      else if (op === SPLIT) pending.push(next[place] as number, other[place] as number);
      else if (op === START && isStart) pending.push(next[place] as number);
    }
    return this.#intern(new Int32Array(places).sort(), lastRule);
  }

  #intern(places: Int32Array, lastRule: number): MatcherState {
    const hash = hashOf(places, lastRule);
    const found = this.#states.get(hash)?.find((state) => state.lastRule === lastRule && equal(state.places, places));
    if (found !== undefined) return found;
    this.#placesKept += places.length + 1;
    if (this.#placesKept > PLACES_MAX) {
      this.#states = new Map();
      this.#startState = undefined;
      this.#placesKept = places.length + 1;
    }
    const state: MatcherState = { places, lastRule, next: new Map() };
    this.#states.set(hash, [...(this.#states.get(hash) ?? []), state]);
    return state;
  }
}

/** FNV-1a, by places instead of bytes. */
function hashOf(places: Int32Array, lastRule: number): number {
  let hash = lastRule;
  for (const place of places) hash = Math.imul(hash ^ place, 0x01000193);
  return hash;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}
