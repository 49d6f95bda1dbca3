/** The fields of one dump line, checked one by one (spec/erofs.md 4 and 4.1). */
import type { ByteString } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { unescapeField } from "./dump-escape.ts";
import { DEPTH_MAX, NAME_MAX_BYTES } from "./path.ts";

const FIXED_FIELDS = 11;
const NO_TEXTS: readonly string[] = [];
/** What both reference tools read behind the fixed fields at most. */
const XATTR_TEXT_MAX_BYTES = 65535;
const UINT32_MAX = 2 ** 32 - 1;
/** 1024 chunks of 2^43 bytes. */
export const FILE_SIZE_MAX_BYTES = 2 ** 53;
const INT64_MAX = 2n ** 63n - 1n;

/** A line cut into fields; `payload`, `content` and `digest` are undefined for `-`. */
export interface DumpFields {
  readonly path: ByteString;
  /** Type and permission bits. */
  readonly mode: number;
  readonly isHardLink: boolean;
  readonly payload: ByteString | undefined;
  readonly content: ByteString | undefined;
  readonly digest: string | undefined;
  /** The other fixed fields as text, in order: they have no meaning on a hard link's line. */
  readonly sizeText: string;
  readonly linkCountText: string;
  readonly uidText: string;
  readonly gidText: string;
  readonly rdevText: string;
  readonly mtimeText: string;
  readonly xattrTexts: readonly string[];
}

/** Runs a part of the parser and puts the line's number in front of its reason. */
export function atLine(line: number, parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    throw corrupt(`Cannot parse dump file: line ${line}: ${error.message}`, { ...error.data, line });
  }
}

/**
 * Cuts a line, without its newline, into fields.
 * @throws SealrootError `corrupt` whose message is only the reason: the caller adds the line
 */
export function splitDumpLine(line: string): DumpFields {
  const fields = line.split(" ");
  if (fields.length < FIXED_FIELDS) throw corrupt(`${fields.length} fields instead of at least ${FIXED_FIELDS}`);
  const [path, sizeText, mode, linkCountText, uidText, gidText, rdevText, mtimeText, payload, content, digest] =
    fields as [string, string, string, string, string, string, string, string, string, string, string];
  if (line.length > XATTR_TEXT_MAX_BYTES && fields.slice(FIXED_FIELDS).join(" ").length > XATTR_TEXT_MAX_BYTES) {
    throw corrupt("more than 65535 bytes of extended attributes");
  }
  if (line.includes("\0")) throw corrupt("a NUL byte");
  const isHardLink = mode.startsWith("@");
  return {
    path: unescapeField(path),
    mode: parseMode(isHardLink ? mode.slice(1) : mode),
    isHardLink,
    payload: optionalField(payload),
    content: content === "" ? ("" as ByteString) : optionalField(content), // as good as "-" for an empty file
    digest: parseDigest(digest),
    sizeText,
    linkCountText,
    uidText,
    gidText,
    rdevText,
    mtimeText,
    xattrTexts: fields.length === FIXED_FIELDS ? NO_TEXTS : fields.slice(FIXED_FIELDS),
  };
}

function optionalField(text: string): ByteString | undefined {
  if (text === "") throw corrupt('an empty field; absent is written "-"');
  return text === "-" ? undefined : unescapeField(text);
}

function parseMode(text: string): number {
  if (!/^[0-7]{1,6}$/.test(text)) throw corrupt(`mode ${JSON.stringify(text)} is not octal`);
  return Number.parseInt(text, 8);
}

function parseDigest(text: string): string | undefined {
  if (text === "-") return undefined;
  if (/^(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{128})$/.test(text)) return text.toLowerCase();
  throw corrupt(`digest ${JSON.stringify(text.slice(0, 160))} is not 64 or 128 hex digits`);
}

/** An unsigned decimal number up to `max`, which is at most 2^53. */
export function parseDecimal(text: string, field: string, max: number = UINT32_MAX): number {
  if (text === "0") return 0;
  if (!/^\+?[0-9]{1,40}$/.test(text)) {
    throw corrupt(`${field} ${JSON.stringify(text.slice(0, 160))} is not a decimal number`);
  }
  // Above 15 digits the conversion could round a number that is too large down to the limit.
  const isTooLarge = text.length > 15 && BigInt(text.replace("+", "")) > BigInt(max);
  const value = Number(text);
  if (isTooLarge || value > max) throw corrupt(`${field} ${text} is over ${max}`);
  return value;
}

/** Seconds and nanoseconds; the part behind the dot is an integer, not a fraction. */
export function parseMtime(text: string, allowNegative: boolean): { seconds: bigint; nanoseconds: number } {
  if (!/^-?\+?[0-9]{1,40}\.[0-9]{1,40}$/.test(text))
    throw corrupt(`mtime ${JSON.stringify(text.slice(0, 160))} is not SECONDS.NANOSECONDS`);
  const dot = text.indexOf(".");
  const isNegative = text.startsWith("-");
  if (isNegative && !allowNegative) throw corrupt(`mtime ${text} is negative`);
  const magnitude = BigInt(text.slice(isNegative ? 1 : 0, dot).replace("+", ""));
  if (magnitude > INT64_MAX) throw corrupt(`mtime ${text} does not fit 64 bits`);
  const nanoseconds = parseDecimal(text.slice(dot + 1), "nanoseconds", 999_999_999);
  return { seconds: isNegative ? -magnitude : magnitude, nanoseconds };
}

/** The components of an absolute path; none for the root. Stricter than an archive's: nothing vanishes. */
export function parseDumpPath(path: ByteString): ByteString[] {
  if (!path.startsWith("/")) throw corrupt("the path is not absolute");
  if (path === "/") return [];
  const components = path.slice(1).split("/") as ByteString[];
  if (components.length > DEPTH_MAX) throw corrupt(`more than ${DEPTH_MAX} path components`);
  for (const component of components) {
    if (component === "") throw corrupt("an empty file name in the path");
    if (component === "." || component === "..") throw corrupt(`"${component}" in the path`);
    if (component.length > NAME_MAX_BYTES) throw corrupt(`a file name of ${component.length} bytes, over 255`);
    if (component.includes("\0")) throw corrupt("a NUL in the path");
  }
  return components;
}
