/** Sizes as people read them, in one unit everywhere: powers of 1024, as for memory, partitions and QEMU. */

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

/** A size as people read it, and as cfsctl prints it: `0 B`, `1023 B`, `10.63 KiB`. */
export function formatSize(sizeBytes: number): string {
  if (sizeBytes < 1024) return `${sizeBytes} B`;
  let value = sizeBytes / 1024;
  for (const unit of UNITS) {
    // What would round to 1024.00 is one of the next unit.
    if (value < 1023.995 || unit === "TiB") return `${value.toFixed(2)} ${unit}`;
    value /= 1024;
  }
  return `${sizeBytes} B`;
}
