/** What the fields of a dump line hold, checked one by one (spec/erofs.md 4 and 4.1). */
import { type ByteString, isLowerHex } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { DEPTH_MAX, NAME_MAX_BYTES } from "./path.ts";

export const UINT32_MAX = 2 ** 32 - 1;
export const NANOSECONDS_MAX = 999_999_999;
/** 1024 chunks of 2^43 bytes. */
export const FILE_SIZE_MAX_BYTES = 2 ** 53;
const INT64_MAX = 2n ** 63n - 1n;

/** Runs a part of the parser and prefixes its reason with the line's number. */
export function atLine(line: number, parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    throw corrupt(`Cannot parse dump file: line ${line}: ${error.message}`, { ...error.data, line });
  }
}

/** Type and permission bits in octal. */
export function parseMode(text: string): number {
  if (!/^[0-7]{1,6}$/.test(text)) throw corrupt(`mode ${JSON.stringify(text)} is not octal`);
  return Number.parseInt(text, 8);
}

/** A digest in hex, of either algorithm, in lower case. */
export function parseDigest(text: string): string {
  if ((text.length === 64 || text.length === 128) && isLowerHex(text)) return text;
  if (/^(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})$/.test(text)) return text.toLowerCase();
  throw corrupt(`digest ${JSON.stringify(text.slice(0, 160))} is not 64 or 128 hex digits`);
}

/** An unsigned decimal number up to `max`, which is at most 2^53. */
export function parseDecimal(text: string, field: string, max: number): number {
  if (text === "0") return 0;
  if (!/^\+?[0-9]{1,40}$/.test(text)) {
    throw corrupt(`${field} ${JSON.stringify(text.slice(0, 160))} is not a decimal number`);
  }
  // Above 15 digits the conversion could round a too large number down to the limit.
  const isTooLarge = text.length > 15 && BigInt(text.replace("+", "")) > BigInt(max);
  const value = Number(text);
  if (isTooLarge || value > max) throw corrupt(`${field} ${text} is over ${max}`);
  return value;
}

/** Seconds and nanoseconds; the part after the dot is an integer, not a fraction. */
export function parseMtime(text: string, allowNegative: boolean): { seconds: bigint; nanoseconds: number } {
  if (!/^-?\+?[0-9]{1,40}\.[0-9]{1,40}$/.test(text))
    throw corrupt(`mtime ${JSON.stringify(text.slice(0, 160))} is not SECONDS.NANOSECONDS`);
  const dot = text.indexOf(".");
  const isNegative = text.startsWith("-");
  if (isNegative && !allowNegative) throw corrupt(`mtime ${text} is negative`);
  const magnitude = BigInt(text.slice(isNegative ? 1 : 0, dot).replace("+", ""));
  if (magnitude > INT64_MAX) throw corrupt(`mtime ${text} does not fit 64 bits`);
  const nanoseconds = parseDecimal(text.slice(dot + 1), "nanoseconds", NANOSECONDS_MAX);
  return { seconds: isNegative ? -magnitude : magnitude, nanoseconds };
}

/** The components of an absolute path; none for the root. Stricter than for an archive: nothing is dropped. */
export function parseDumpPath(path: ByteString): ByteString[] {
  if (!path.startsWith("/")) throw corrupt("the path is not absolute");
  if (path === "/") return [];
  const components = path.slice(1).split("/") as ByteString[];
  if (components.length > DEPTH_MAX) throw corrupt(`more than ${DEPTH_MAX} path components`);
  for (const component of components) checkComponent(component);
  return components;
}

function checkComponent(component: string): void {
  if (component === "") throw corrupt("an empty file name in the path");
  if (component === "." || component === "..") throw corrupt(`"${component}" in the path`);
  if (component.length > NAME_MAX_BYTES) throw corrupt(`a file name of ${component.length} bytes, over 255`);
  if (component.includes("\0")) throw corrupt("a NUL in the path");
}

/**
 * The same checks for a path whose parent has already passed them.
 * @param name the last component
 */
export function checkPathBelow(path: ByteString, name: ByteString): void {
  checkComponent(name);
  // A component takes at least two bytes: no shorter path can be too deep.
  if (path.length > 2 * DEPTH_MAX) parseDumpPath(path);
}
