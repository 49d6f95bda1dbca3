/** Quantities on the command line. */
import { SealrootError } from "../errors/index.ts";

const FACTOR: Readonly<Record<string, number>> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/**
 * The bytes of a size such as `4G`, `512MiB`, `1073741824`. Suffixes are powers of 1024, as truncate(1) and QEMU count.
 *
 * @param option the option's name, for the error
 * @throws SealrootError `usage`
 */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:iB|B)?$/i.exec(text.trim());
  const factor = FACTOR[match?.[2]?.toUpperCase() ?? "?"];
  const sizeBytes = factor === undefined ? Number.NaN : Math.round(Number(match?.[1]) * factor);
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new SealrootError("usage", `Cannot read ${option}: "${text}" is not a size`, {
      hint: "write a number with K, M, G or T, such as 4G",
    });
  }
  return sizeBytes;
}

/**
 * A whole number from 1 to `largest`.
 *
 * @param option the option's name, for the error
 * @throws SealrootError `usage`
 */
export function parseCount(text: string, option: string, largest: number): number {
  const count = /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN;
  if (count <= largest) return count;
  throw new SealrootError("usage", `Cannot read ${option}: "${text}" is not a number from 1 to ${largest}`);
}
