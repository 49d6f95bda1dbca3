/** The kernel command line as a list of arguments (spec/host.md 1.9; Linux lib/cmdline.c, next_arg). */
import { SealrootError } from "../errors/index.ts";

/** One argument. `text` is exactly as on the line; key and value are without quotes. */
export interface KernelArgument {
  readonly text: string;
  readonly key: string;
  /** Undefined for a bare word such as `rw`; empty for `key=`. */
  readonly value: string | undefined;
}

/** The blanks that separate arguments: only ASCII, so a name in UTF-8 is never cut. */
const BLANK = " \t\n\v\f\r";

/** How a reader of the command line finds its words. */
export interface WordRules {
  /** The characters that quote blanks, each until its next occurrence. */
  readonly quotes: string;
  /** Whether a backslash escapes the character after it. */
  readonly hasEscapes?: boolean;
}

/** The kernel's rules (lib/cmdline.c, next_arg): double quotes only. */
const KERNEL_RULES: WordRules = { quotes: '"' };

/** A command line split at its blanks; each word is exactly as on the line. */
export interface SplitWords {
  readonly words: readonly string[];
  /** Whether a quote is open at the end, which the last word then reaches. */
  readonly endsInQuote: boolean;
}

/** Splits a line by the rules of one of its readers. */
export function splitWords(text: string, { quotes, hasEscapes = false }: WordRules): SplitWords {
  const words: string[] = [];
  let word = "";
  let quote = "";
  let isEscaped = false;
  for (const character of text) {
    if (quote === "" && !isEscaped && BLANK.includes(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    word += character;
    if (isEscaped) isEscaped = false;
    else if (hasEscapes && character === "\\") isEscaped = true;
    else if (character === quote) quote = "";
    else if (quote === "" && quotes.includes(character)) quote = character;
  }
  if (word !== "") words.push(word);
  return { words, endsInQuote: quote !== "" || isEscaped };
}

/**
 * Splits at blanks outside double quotes, keeping the quotes. A quote that is never closed reaches to the end, as in
 * the kernel.
 */
export function splitCommandLine(text: string): readonly string[] {
  return splitWords(text, KERNEL_RULES).words;
}

/**
 * Key and value of one word, as the kernel splits them: both `key="a b"` and `"key=a b"` are `key` and `a b`, and a
 * leading `=` belongs to the key.
 */
export function parseKernelArgument(text: string): KernelArgument {
  const isQuoted = text.startsWith('"');
  const bare = isQuoted ? text.slice(1) : text;
  const equals = bare.indexOf("=", 1);
  if (equals < 0) return { text, key: isQuoted ? withoutFinalQuote(bare) : bare, value: undefined };
  const key = bare.slice(0, equals);
  const value = bare.slice(equals + 1);
  // One quote is dropped at the end for either of the two leading ones, never two.
  if (value.startsWith('"')) return { text, key, value: withoutFinalQuote(value.slice(1)) };
  return { text, key, value: isQuoted ? withoutFinalQuote(value) : value };
}

function withoutFinalQuote(text: string): string {
  return text.endsWith('"') ? text.slice(0, -1) : text;
}

/** Keys are equal if they differ only in `-` and `_` (Linux kernel/params.c, parameq). */
export function sameKey(a: string, b: string): boolean {
  return a.replaceAll("-", "_") === b.replaceAll("-", "_");
}

/** An immutable command line; every change gives a new one. */
export class CommandLine {
  readonly arguments: readonly KernelArgument[];

  constructor(argumentList: readonly KernelArgument[] = []) {
    this.arguments = argumentList;
  }

  static parse(text: string): CommandLine {
    return new CommandLine(splitCommandLine(text).map(parseKernelArgument));
  }

  /** All arguments with this key, in order. */
  all(key: string): KernelArgument[] {
    return this.arguments.filter((argument) => sameKey(argument.key, key));
  }

  has(key: string): boolean {
    return this.arguments.some((argument) => sameKey(argument.key, key));
  }

  /** Whether an argument of exactly that key and value is there. */
  hasExact(text: string): boolean {
    const wanted = singleArgument(text);
    return this.arguments.some((present) => sameArgument(present, wanted));
  }

  /** The value of the first argument with this key; undefined if there is none or it has no value. */
  get(key: string): string | undefined {
    return this.all(key)[0]?.value;
  }

  /** With the arguments of `text` appended, whatever is already there. */
  append(text: string): CommandLine {
    return new CommandLine([...this.arguments, ...CommandLine.parse(text).arguments]);
  }

  /** With each argument of `text` appended, unless exactly that key and value is there (upstream's `extend`). */
  add(text: string): CommandLine {
    let result: CommandLine = this;
    for (const argument of CommandLine.parse(text).arguments) {
      if (!result.arguments.some((present) => sameArgument(present, argument))) {
        result = new CommandLine([...result.arguments, argument]);
      }
    }
    return result;
  }

  /** With the first argument with that key replaced and later ones dropped; appended if there is none. */
  set(text: string): CommandLine {
    const wanted = singleArgument(text);
    const result: KernelArgument[] = [];
    let placed = false;
    for (const present of this.arguments) {
      if (!sameKey(present.key, wanted.key)) {
        result.push(present);
      } else if (!placed) {
        result.push(wanted);
        placed = true;
      }
    }
    if (!placed) result.push(wanted);
    return new CommandLine(result);
  }

  /** Without the arguments equal to `text` in key and value. */
  removeExact(text: string): CommandLine {
    const unwanted = singleArgument(text);
    return new CommandLine(this.arguments.filter((present) => !sameArgument(present, unwanted)));
  }

  /** Without any argument with that key. */
  removeKey(key: string): CommandLine {
    return new CommandLine(this.arguments.filter((present) => !sameKey(present.key, key)));
  }

  /** The line as the kernel gets it: arguments joined by one space. */
  toString(): string {
    return this.arguments.map((argument) => argument.text).join(" ");
  }
}

function sameArgument(a: KernelArgument, b: KernelArgument): boolean {
  return sameKey(a.key, b.key) && a.value === b.value;
}

function singleArgument(text: string): KernelArgument {
  const [argument, ...others] = CommandLine.parse(text).arguments;
  if (argument === undefined || others.length > 0) {
    throw new SealrootError("usage", `Cannot use the kernel argument "${text}": one argument is expected`);
  }
  return argument;
}
