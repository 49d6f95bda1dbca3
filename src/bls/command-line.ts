/** The kernel command line as a list of arguments (spec/host.md 1.9; Linux lib/cmdline.c, next_arg). */
import { SealrootError } from "../errors/index.ts";

/** One argument. `text` is exactly what stands on the line; key and value are without quotes. */
export interface KernelArgument {
  readonly text: string;
  readonly key: string;
  /** Undefined for a bare word such as `rw`; empty for `key=`. */
  readonly value: string | undefined;
}

/** The blanks that separate arguments: ASCII only, so that a name in UTF-8 is never cut. */
const BLANK = " \t\n\v\f\r";

/**
 * Splits at blanks outside double quotes, keeping the quotes. A quote that is never closed reaches to the end, as in
 * the kernel.
 */
export function splitCommandLine(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (!quoted && BLANK.includes(character)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      word += character;
    }
  }
  if (word !== "") words.push(word);
  return words;
}

/** Drops one quote at the beginning and, if there was one, the one at the end (next_arg does the same). */
function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.endsWith('"') && text.length > 1 ? text.slice(1, -1) : text.slice(1);
}

/** Key and value of one word: both `key="a b"` and `"key=a b"` are `key` and `a b`. */
export function parseKernelArgument(text: string): KernelArgument {
  const bare = unquote(text);
  const equals = bare.indexOf("=");
  if (equals < 0) return { text, key: bare, value: undefined };
  return { text, key: bare.slice(0, equals), value: unquote(bare.slice(equals + 1)) };
}

/** Keys are equal when they differ in `-` and `_` only (Linux kernel/params.c, parameq). */
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

  /** The value of the first argument with this key; undefined when there is none or it has no value. */
  get(key: string): string | undefined {
    return this.all(key)[0]?.value;
  }

  /** With the arguments of `text` at the end, whatever is there already. */
  append(text: string): CommandLine {
    return new CommandLine([...this.arguments, ...CommandLine.parse(text).arguments]);
  }

  /** With each argument of `text` at the end, unless exactly that key and value is there (upstream's `extend`). */
  add(text: string): CommandLine {
    let result: CommandLine = this;
    for (const argument of CommandLine.parse(text).arguments) {
      if (!result.arguments.some((present) => sameArgument(present, argument))) {
        result = new CommandLine([...result.arguments, argument]);
      }
    }
    return result;
  }

  /** The first argument of that key replaced, later ones of it dropped; added at the end when there is none. */
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

  /** Without any argument of that key. */
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

/** Arguments that the seal decides: they choose what is booted, so a `--karg` must not. */
const SEALED_KEYS = ["composefs", "composefs.digest", "root", "init", "rdinit", "systemd.unit", "rd.systemd.unit"];

/**
 * Checks the kernel arguments a user adds to a sealed command line.
 *
 * @param text one or more arguments
 * @throws SealrootError `usage` for an argument that would choose another root or init, or for a character that a
 *   command line cannot hold
 */
export function checkUserArguments(text: string): void {
  for (const argument of CommandLine.parse(text).arguments) {
    const sealed = SEALED_KEYS.find((key) => sameKey(key, argument.key));
    if (sealed !== undefined) {
      throw new SealrootError(
        "usage",
        `Cannot add the kernel argument "${argument.text}": "${sealed}" is decided by the seal`,
        { hint: "Leave the argument out; --root-uuid names the root file system" },
      );
    }
  }
  const control = [...text].find((character) => character < " " || character === "\x7f");
  if (control !== undefined) {
    throw new SealrootError("usage", "Cannot add the kernel argument: it holds a control character", {
      actual: JSON.stringify(text),
    });
  }
}
