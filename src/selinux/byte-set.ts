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

function ofPattern(pattern: RegExp): ByteSet {
  return byteSet((value) => value < 0x80 && pattern.test(String.fromCharCode(value)));
}

/** What `.` stands for: every byte but NUL (spec/oci.md 6). */
export const ANY: ByteSet = byteSet((value) => value !== 0);

const DIGIT = ofPattern(/[0-9]/);
const WORD = ofPattern(/[0-9A-Za-z_]/);
const SPACE = ofPattern(/[\t\n\v\f\r ]/);

/** Classes by the letter of their escape; ASCII, since matching is by bytes. */
export const ESCAPED_CLASSES: Readonly<Record<string, ByteSet>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

/** Classes by their POSIX name, as in `[[:alpha:]]`. */
export const POSIX_CLASSES: Readonly<Record<string, ByteSet>> = {
  alnum: ofPattern(/[0-9A-Za-z]/),
  alpha: ofPattern(/[A-Za-z]/),
  ascii: byteSet((value) => value < 0x80),
  blank: ofPattern(/[\t ]/),
  cntrl: byteSet((value) => value < 0x20 || value === 0x7f),
  digit: DIGIT,
  graph: ofPattern(/[!-~]/),
  lower: ofPattern(/[a-z]/),
  print: ofPattern(/[ -~]/),
  punct: ofPattern(/[!-/:-@[-`{-~]/),
  space: SPACE,
  upper: ofPattern(/[A-Z]/),
  word: WORD,
  xdigit: ofPattern(/[0-9A-Fa-f]/),
};
