/**
 * Dump text line by line (spec/erofs.md 4 and 4.1). Numbers and digests are read directly from the bytes: a string for
 * each field, most of them used once, would be half of the time of reading a dump.
 */
import { type ByteString, byteString, bytesOf } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { unescapeField } from "./dump-escape.ts";
import {
  FILE_SIZE_MAX_BYTES,
  NANOSECONDS_MAX,
  parseDecimal,
  parseDigest,
  parseMode,
  parseMtime,
  UINT32_MAX,
} from "./dump-fields.ts";

/** Longer than any line whose fields are within their limits, even with every byte escaped. */
const LINE_MAX_BYTES = 4 << 20;
/** How much both reference tools read at most after the fixed fields. */
const XATTR_TEXT_MAX_BYTES = 65535;
/** The fixed fields in order; the rest of a line are extended attributes. */
const PATH = 0;
const SIZE = 1;
const MODE = 2;
const LINK_COUNT = 3;
const UID = 4;
const GID = 5;
const RDEV = 6;
const MTIME = 7;
const PAYLOAD = 8;
const CONTENT = 9;
const DIGEST = 10;
const FIXED_FIELDS = 11;

const NUL = 0x00;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const AT = 0x40;
/** This many digits are exact as a number. */
const EXACT_DIGITS = 15;
const MODE_DIGITS_MAX = 6;
const NO_TEXTS: readonly string[] = [];

/**
 * The line that was read last. All accessors throw SealrootError `corrupt` with only the reason as message: the caller
 * adds the line's number.
 */
export class DumpLine {
  readonly #text: Buffer;
  /** The line is `start..end`. */
  #start = 0;
  #end = -1;
  /** Where its fields end, each at a space or at the line's end. */
  #ends: readonly number[] = [];
  path = "" as ByteString;
  /** Type and permission bits. */
  mode = 0;
  isHardLink = false;
  /** Undefined for `-`; for an empty file, empty means the same. */
  content: ByteString | undefined;
  /** Lower-case hex; undefined for `-`. */
  digest: string | undefined;
  /** Consecutive times are often the same: they share one bigint. */
  #lastSeconds = 0n;

  constructor(text: Uint8Array) {
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.length);
  }

  /** Goes to the next line; false after the last one, whose newline may be missing. */
  advance(): boolean {
    this.#start = this.#end + 1;
    this.#end = this.#start;
    return this.#start < this.#text.length;
  }

  /** Reads the line: splits it into fields and checks what applies to every line. */
  read(): void {
    const hasNul = this.#cut();
    const lineBytes = this.#end - this.#start;
    const fields = this.#ends.length;
    if (lineBytes > LINE_MAX_BYTES) throw corrupt(`${lineBytes} bytes, over ${LINE_MAX_BYTES}`);
    if (fields < FIXED_FIELDS) throw corrupt(`${fields} fields instead of at least ${FIXED_FIELDS}`);
    if (this.#end - this.#startOf(FIXED_FIELDS) > XATTR_TEXT_MAX_BYTES) {
      throw corrupt("more than 65535 bytes of extended attributes");
    }
    if (hasNul) throw corrupt("a NUL byte");
    this.#readFields();
  }

  /** Finds the ends of the line and of its fields. @returns whether there is a NUL in it */
  #cut(): boolean {
    const text = this.#text;
    const ends: number[] = [];
    let hasNul = false;
    // A longer line is refused: its fields need not be remembered.
    const limit = Math.min(text.length, this.#start + LINE_MAX_BYTES + 1);
    let at = this.#start;
    for (; at < limit; at++) {
      const byte = text[at] as number;
      if (byte > SPACE) continue;
      if (byte === NEWLINE) break;
      if (byte === SPACE) ends.push(at);
      else if (byte === NUL) hasNul = true;
    }
    if (at > this.#start + LINE_MAX_BYTES) {
      const newline = text.indexOf(NEWLINE, at);
      at = newline === -1 ? text.length : newline;
    }
    ends.push(at);
    this.#end = at;
    this.#ends = ends;
    return hasNul;
  }

  #readFields(): void {
    this.path = unescapeField(this.#field(PATH));
    this.#readMode();
    const isEmpty = this.#startOf(CONTENT) === this.#ends[CONTENT];
    this.content = isEmpty ? ("" as ByteString) : this.#optional(CONTENT);
    this.digest = this.#isDash(DIGEST) ? undefined : parseDigest(this.#field(DIGEST));
  }

  #readMode(): void {
    const start = this.#startOf(MODE);
    const end = this.#ends[MODE] as number;
    this.isHardLink = this.#text[start] === AT;
    const digits = this.isHardLink ? start + 1 : start;
    const mode = end - digits > MODE_DIGITS_MAX ? -1 : this.#digits(digits, end, 8);
    this.mode = mode === -1 ? parseMode(this.#slice(digits, end)) : mode;
  }

  /** Undefined for `-`. */
  get payload(): ByteString | undefined {
    return this.#optional(PAYLOAD);
  }

  /** Whether the payload is the digest's own path `xx/rest`: true for nearly every file, and needs no string. */
  get isDigestPath(): boolean {
    const { digest } = this;
    const start = this.#startOf(PAYLOAD);
    if (digest === undefined || (this.#ends[PAYLOAD] as number) - start !== digest.length + 1) return false;
    if (this.#text[start + 2] !== SLASH) return false;
    for (let index = 0; index < digest.length; index++) {
      if (this.#text[start + index + (index < 2 ? 0 : 1)] !== digest.charCodeAt(index)) return false;
    }
    return true;
  }

  get sizeBytes(): number {
    return this.#decimal(SIZE, "size", FILE_SIZE_MAX_BYTES);
  }

  get linkCount(): number {
    return this.#decimal(LINK_COUNT, "link count", UINT32_MAX);
  }

  /** A directory's size and link count mean nothing, but must be numbers. */
  checkUnusedNumbers(): void {
    this.#decimal(SIZE, "size", Number.MAX_SAFE_INTEGER);
    this.#decimal(LINK_COUNT, "link count", UINT32_MAX);
  }

  get uid(): number {
    return this.#decimal(UID, "uid", UINT32_MAX);
  }

  get gid(): number {
    return this.#decimal(GID, "gid", UINT32_MAX);
  }

  get rdev(): number {
    return this.#decimal(RDEV, "rdev", UINT32_MAX);
  }

  /** @param allowNegative accept times before 1970 */
  mtime(allowNegative: boolean): { seconds: bigint; nanoseconds: number } {
    const start = this.#startOf(MTIME);
    const end = this.#ends[MTIME] as number;
    let dot = start;
    while (dot < end && this.#text[dot] !== DOT) dot++;
    const seconds = this.#digits(start, dot);
    const nanoseconds = this.#digits(dot + 1, end);
    if (seconds === -1 || nanoseconds === -1 || nanoseconds > NANOSECONDS_MAX) {
      return parseMtime(this.#field(MTIME), allowNegative);
    }
    if (Number(this.#lastSeconds) !== seconds) this.#lastSeconds = BigInt(seconds);
    return { seconds: this.#lastSeconds, nanoseconds };
  }

  /** The extended attributes as written. */
  get xattrTexts(): readonly string[] {
    if (this.#ends.length === FIXED_FIELDS) return NO_TEXTS;
    return this.#ends.slice(FIXED_FIELDS).map((_, index) => this.#field(FIXED_FIELDS + index));
  }

  /** What follows the last slash of the path, as a separate string: a slice would keep the whole path in memory. */
  nameIn(path: ByteString): ByteString {
    const nameBytes = path.length - path.lastIndexOf("/") - 1;
    const end = this.#ends[PATH] as number;
    if (end - this.#start !== path.length)
      return byteString(bytesOf(path.slice(path.length - nameBytes) as ByteString));
    return this.#slice(end - nameBytes, end);
  }

  #startOf(field: number): number {
    return field === 0 ? this.#start : (this.#ends[field - 1] as number) + 1;
  }

  #field(field: number): ByteString {
    return this.#slice(this.#startOf(field), this.#ends[field] as number);
  }

  #slice(start: number, end: number): ByteString {
    return this.#text.toString("latin1", start, end) as ByteString;
  }

  #isDash(field: number): boolean {
    const start = this.#startOf(field);
    return this.#ends[field] === start + 1 && this.#text[start] === DASH;
  }

  #optional(field: number): ByteString | undefined {
    if (this.#isDash(field)) return undefined;
    if (this.#startOf(field) === this.#ends[field]) throw corrupt('an empty field; absent is written "-"');
    return unescapeField(this.#field(field));
  }

  #decimal(field: number, name: string, max: number): number {
    const value = this.#digits(this.#startOf(field), this.#ends[field] as number);
    return value === -1 || value > max ? parseDecimal(this.#field(field), name, max) : value;
  }

  /** The number of one to 15 digits, or -1 for anything that needs a closer look. */
  #digits(start: number, end: number, base = 10): number {
    if (start >= end || end - start > EXACT_DIGITS) return -1;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = (this.#text[at] as number) - ZERO;
      if (digit < 0 || digit >= base) return -1;
      value = base * value + digit;
    }
    return value;
  }
}
