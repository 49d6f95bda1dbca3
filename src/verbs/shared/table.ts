/** Text tables and quantities as people read them. */
import { oneLine } from "../../errors/index.ts";

/**
 * Columns aligned with two spaces between; the last column is not padded. Numbers are given right-aligned by marking
 * the column.
 *
 * @param rows all rows of equal length, the header first
 * @param rightAligned indices of columns to align to the right
 */
export function textTable(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string[] {
  const widths: number[] = [];
  // A cell may be untrusted text.
  const lines = rows.map((row) => row.map(oneLine));
  for (const row of lines) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return lines.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        if (rightAligned.includes(column)) return cell.padStart(width);
        return column === row.length - 1 ? cell : cell.padEnd(width);
      })
      .join("  "),
  );
}

/** A duration: `0.4 s`, `12.3 s`, `3 min 05 s`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}
