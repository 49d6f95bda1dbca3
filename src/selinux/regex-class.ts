/** Bracketed classes and escapes of single bytes, the two lowest rules of the expressions' grammar. */
import type { ByteString } from "../bytes/index.ts";
import { addSet, type ByteSet, byteSet, complement, escapedClass, posixClass } from "./byte-set.ts";
import { corruptRegex, unsupportedRegex } from "./regex-errors.ts";

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 7, t: 9, n: 10, v: 11, f: 12, r: 13 };

/**
 * Reads the class that begins with the bracket at `start`.
 * @returns the set and the offset after the closing bracket
 */
export function parseClass(pattern: ByteString, start: number): { set: ByteSet; end: number } {
  const set = byteSet(() => false);
  let at = start + 1;
  const isNegated = pattern[at] === "^";
  if (isNegated) at++;
  for (let isFirst = true; isFirst || pattern[at] !== "]"; isFirst = false) {
    const item = parseClassItem(pattern, at);
    at = item.end;
    if (typeof item.member === "number") {
      const range = parseRangeEnd(pattern, at);
      const last = range?.last ?? item.member;
      at = range?.end ?? at;
      if (last < item.member) throw corruptRegex("a class range with its ends in the wrong order");
      set.fill(1, item.member, last + 1);
    } else {
      addSet(set, item.member);
    }
  }
  return { set: isNegated ? complement(set) : set, end: at + 1 };
}

function parseClassItem(pattern: ByteString, at: number): { member: number | ByteSet; end: number } {
  const next = pattern[at];
  if (next === undefined) throw corruptRegex("unclosed class");
  if (next.charCodeAt(0) >= 0x80) throw unsupportedRegex("a class of bytes above 0x7f");
  const pair = pattern.slice(at, at + 2);
  if (pair === "&&" || pair === "--" || pair === "~~") throw unsupportedRegex("set arithmetic in a class");
  if (next === "[") return parsePosixClass(pattern, at);
  if (next !== "\\") return { member: next.charCodeAt(0), end: at + 1 };
  const set = escapedClass(pattern[at + 1] ?? "");
  if (set !== undefined) return { member: set, end: at + 2 };
  const { value, end } = parseEscapedByte(pattern, at);
  return { member: value, end };
}

/** The second half of `a-z`, if there is one here. */
function parseRangeEnd(pattern: ByteString, at: number): { last: number; end: number } | undefined {
  if (pattern[at] !== "-" || pattern[at + 1] === "]" || pattern[at + 1] === "-") return undefined;
  const { member, end } = parseClassItem(pattern, at + 1);
  if (typeof member !== "number") throw corruptRegex("a class range that ends in a class");
  return { last: member, end };
}

function parsePosixClass(pattern: ByteString, at: number): { member: ByteSet; end: number } {
  const match = /^\[:(\^?)([a-z]+):\]/.exec(pattern.slice(at, at + 16));
  const set = posixClass(match?.[2] ?? "");
  if (match === null || set === undefined) throw unsupportedRegex("a class within a class");
  return { member: match[1] === "^" ? complement(set) : set, end: at + match[0].length };
}

/** An escape that stands for one byte: `\.`, `\n`, `\x41`. */
export function parseEscapedByte(pattern: ByteString, at: number): { value: number; end: number } {
  const letter = pattern[at + 1];
  if (letter === undefined) throw corruptRegex("a backslash at the end");
  const control = CONTROL_ESCAPES[letter];
  if (control !== undefined) return { value: control, end: at + 2 };
  const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,2})\})/.exec(pattern.slice(at, at + 6));
  if (hex !== null) return { value: Number.parseInt(hex[1] ?? hex[2] ?? "", 16), end: at + hex[0].length };
  if (/[0-9A-Za-z<>]/.test(letter) || letter.charCodeAt(0) >= 0x80) throw unsupportedRegex(`the escape "\\${letter}"`);
  return { value: letter.charCodeAt(0), end: at + 2 };
}
