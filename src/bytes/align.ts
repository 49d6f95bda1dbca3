/** Alignment arithmetic, exact up to 2^53. */

/** `value` rounded up to a multiple of `alignment` (any positive integer). */
export function alignUp(value: number, alignment: number): number {
  const rest = value % alignment;
  return rest === 0 ? value : value + alignment - rest;
}
