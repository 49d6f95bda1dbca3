/** Quantities on the command line. */
import { SealrootError } from "../../errors/index.ts";

const FACTOR: Readonly<Record<string, number>> = {
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/**
 * The bytes of a size such as `4G`, `1.5GiB`, `1073741824`: powers of 1024, as truncate(1) and QEMU count. `GB` and the
 * like are refused, since to some they are powers of 1000.
 *
 * @param option the option's name, for the error
 * @throws SealrootError `usage`
 */
export function parseSize(text: string, option: string): number {
  const [, whole, quantity, unit = ""] = /^(?:(\d+)B?|(\d+(?:\.\d+)?)([KMGT])(?:iB)?)$/i.exec(text.trim()) ?? [];
  const sizeBytes = Math.round(Number(whole ?? Number(quantity) * (FACTOR[unit.toUpperCase()] ?? Number.NaN)));
  if (Number.isSafeInteger(sizeBytes)) return sizeBytes;
  const decimal = /^([\d.]+)([KMGT])B$/i.exec(text.trim());
  throw new SealrootError("usage", `Cannot read ${option}: "${text}" is not a size`, {
    hint:
      decimal === null
        ? "write a number with K, M, G or T, such as 4G"
        : `write ${decimal[1]}${decimal[2]?.toUpperCase()}iB: sizes are powers of 1024`,
  });
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
