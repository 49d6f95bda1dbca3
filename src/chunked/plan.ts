/** Which ranges of a blob to request (spec/chunked-and-policy.md 1.7). */

/** Half-open range of a blob. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Two ranges closer than this become one: a request costs more than these bytes. */
const RANGE_GAP_MAX_BYTES = 1024;
/** Limit for the ranges of one layer. */
const RANGE_COUNT_MAX = 1024;

/**
 * Merges pieces that are close together; while more than {@link RANGE_COUNT_MAX} are left, those with the smallest
 * gaps.
 *
 * @param pieces in ascending order, not overlapping
 * @returns ranges in ascending order, none touching the next, that cover all pieces
 */
export function planRanges(pieces: readonly Range[]): Range[] {
  const gaps = pieces.slice(1).map((piece, index) => piece.start - (pieces[index]?.end ?? 0));
  const farGaps = gaps.filter((gap) => gap > RANGE_GAP_MAX_BYTES).sort((a, b) => a - b);
  // All gaps of the threshold's size are merged.
  const excess = farGaps.length + 1 - RANGE_COUNT_MAX;
  const mergedMax = excess > 0 ? (farGaps[excess - 1] ?? RANGE_GAP_MAX_BYTES) : RANGE_GAP_MAX_BYTES;
  const ranges: { start: number; end: number }[] = [];
  for (const { start, end } of pieces) {
    const last = ranges.at(-1);
    if (last !== undefined && start - last.end <= mergedMax) last.end = end;
    else ranges.push({ start, end });
  }
  return ranges;
}
