/** Sets of byte values, for character classes. */
import type { ByteString } from "../bytes/index.ts";

/** Element n is 1 when byte n is in the set. */
export type ByteSet = Uint8Array;

export const BYTE_VALUES = 256;

/** The set of those byte values for which `test` holds. */
export function byteSet(test: (value: number) => boolean): ByteSet {
  return Uint8Array.from({ length: BYTE_VALUES }, (_, value) => Number(test(value)));
}

/** The set of the bytes of a string. */
export function setOfBytes(bytes: ByteString): ByteSet {
  return byteSet((value) => bytes.includes(String.fromCharCode(value)));
}

export function complement(set: ByteSet): ByteSet {
  return byteSet((value) => set[value] === 0);
}

/** Adds all of `source` to `target`, in place. */
export function addSet(target: ByteSet, source: ByteSet): void {
  source.forEach((member, value) => {
    if (member === 1) target[value] = 1;
  });
}

/** Patterns of single characters; what they make is made when a policy asks, since every thread loads this file. */
type Patterns = Readonly<Record<string, RegExp>>;

const DIGIT = /[0-9]/;
const WORD = /[0-9A-Za-z_]/;
const SPACE = /[\t\n\v\f\r ]/;

const ESCAPED: Patterns = { d: DIGIT, w: WORD, s: SPACE };

const POSIX: Patterns = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  ascii: /[\0-\x7f]/,
  blank: /[\t ]/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the class is made of them
  cntrl: /[\0-\x1f\x7f]/,
  digit: DIGIT,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: SPACE,
  upper: /[A-Z]/,
  word: WORD,
  xdigit: /[0-9A-Fa-f]/,
};

/** What `.` stands for: every byte but NUL (spec/oci.md 6). */
export function anyByte(): ByteSet {
  return byteSet((value) => value !== 0);
}

/** The class of the letter of an escape, a capital being the complement; ASCII, since matching is by bytes. */
export function escapedClass(letter: string): ByteSet | undefined {
  const set = classOf(ESCAPED, letter.toLowerCase());
  return set !== undefined && letter !== letter.toLowerCase() ? complement(set) : set;
}

/** The class of a POSIX name, as in `[[:alpha:]]`. */
export function posixClass(name: string): ByteSet | undefined {
  return classOf(POSIX, name);
}

function classOf(patterns: Patterns, name: string): ByteSet | undefined {
  const pattern = Object.hasOwn(patterns, name) ? patterns[name] : undefined;
  return pattern && byteSet((value) => value < 0x80 && pattern.test(String.fromCharCode(value)));
}
