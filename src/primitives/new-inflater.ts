/** Inflating by the library where that is worth it. */
import { igzip } from "./igzip-library.ts";
import type { Inflater } from "./inflater.ts";
import { primitivesWish } from "./wish.ts";

/** Streams with less compressed data than this are not worth loading koffi and the library. */
const LOAD_FROM_BYTES = 256 << 10;

/**
 * How much of a compressed stream to look at before {@link newInflater} is asked: a shorter one is left to node:zlib.
 * Zero when the environment wants the library whatever it costs.
 */
export function inflaterFromBytes(): number {
  return primitivesWish() === "native" ? 0 : LOAD_FROM_BYTES;
}

/** @returns undefined where node:zlib is to be used */
export function newInflater(): Inflater | undefined {
  return igzip().native?.();
}
