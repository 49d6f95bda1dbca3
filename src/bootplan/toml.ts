/**
 * The part of TOML 1.0 that `setup-root-conf.toml` needs: tables, dotted keys, strings of one line, booleans, integers.
 * It runs inside the initramfs, where a whole TOML library would be most of the program; it refuses what it does not
 * know, and seal reads the file with the same code, so a refusal comes before anything is sealed.
 */
import { SealrootError } from "../errors/index.ts";

export type TomlValue = string | boolean | bigint | TomlTable;
export type TomlTable = Map<string, TomlValue>;

const BARE_KEY = /^[A-Za-z0-9_-]+/;
const BASIC_STRING = /^"((?:[^"\\\n]|\\.)*)"/;
const LITERAL_STRING = /^'([^'\n]*)'/;
const INTEGER = /^[+-]?(?:0|[1-9](?:_?[0-9])*)(?![0-9A-Za-z_.:-])/;
const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  '"': '"',
  "\\": "\\",
};

/**
 * Reads a TOML text.
 *
 * @param what names the input in errors
 * @throws SealrootError `corrupt` with the line for invalid TOML, a key given twice, or TOML outside the subset
 */
export function parseToml(text: string, what = "TOML file"): TomlTable {
  const root: TomlTable = new Map();
  const declared = new Set<string>();
  let table = root;
  for (const [index, rawLine] of text.split("\n").entries()) {
    const line = new LineReader(rawLine.replace(/\r$/, ""), index + 1, what);
    line.skipBlanks();
    if (line.atEnd()) continue;
    if (line.accept("[")) {
      if (line.accept("[")) throw line.error("arrays of tables are not understood");
      const keys = line.keys();
      if (!line.accept("]")) throw line.error('"]" is missing');
      const name = JSON.stringify(keys);
      if (declared.has(name)) throw line.error("the table is given twice");
      declared.add(name);
      table = subtable(root, keys, line);
    } else {
      const keys = line.keys();
      if (!line.accept("=")) throw line.error('"=" is missing');
      const value = line.value();
      const last = keys.pop() ?? "";
      const parent = subtable(table, keys, line);
      if (parent.has(last)) throw line.error(`the key "${last}" is given twice`);
      parent.set(last, value);
    }
    line.skipBlanks();
    if (!line.atEnd()) throw line.error("unexpected text at the end");
  }
  return root;
}

function subtable(from: TomlTable, keys: readonly string[], line: LineReader): TomlTable {
  let table = from;
  for (const key of keys) {
    const present = table.get(key) ?? new Map();
    if (!(present instanceof Map)) throw line.error(`"${key}" is a value already`);
    table.set(key, present);
    table = present;
  }
  return table;
}

/** Reads one line from left to right. */
class LineReader {
  #rest: string;
  readonly #line: number;
  readonly #what: string;

  constructor(text: string, line: number, what: string) {
    this.#rest = text;
    this.#line = line;
    this.#what = what;
  }

  error(state: string): SealrootError {
    return new SealrootError("corrupt", `Cannot parse ${this.#what}: line ${this.#line}: ${state}`, {
      line: this.#line,
    });
  }

  skipBlanks(): void {
    this.#rest = this.#rest.replace(/^[ \t]+/, "");
  }

  /** True at the end of the line or before a comment. */
  atEnd(): boolean {
    return this.#rest === "" || this.#rest.startsWith("#");
  }

  accept(token: string): boolean {
    if (!this.#rest.startsWith(token)) return false;
    this.#rest = this.#rest.slice(token.length);
    return true;
  }

  /** A key, dotted or not, with surrounding blanks. */
  keys(): string[] {
    const keys: string[] = [];
    do {
      this.skipBlanks();
      const key = this.#match(BARE_KEY)?.[0] ?? this.#string();
      if (key === undefined) throw this.error("a key is expected");
      keys.push(key);
      this.skipBlanks();
    } while (this.accept("."));
    return keys;
  }

  value(): TomlValue {
    this.skipBlanks();
    const word = this.#match(/^(?:true|false)(?![A-Za-z0-9_-])/)?.[0];
    if (word !== undefined) return word === "true";
    if (this.#rest.startsWith('"""') || this.#rest.startsWith("'''")) {
      throw this.error("strings of several lines are not understood");
    }
    const text = this.#string();
    if (text !== undefined) return text;
    const digits = this.#match(INTEGER)?.[0];
    if (digits !== undefined) return BigInt(digits.replaceAll("_", "").replace(/^\+/, ""));
    throw this.error("only strings of one line, integers, true and false are understood as values");
  }

  #string(): string | undefined {
    const literal = this.#match(LITERAL_STRING)?.[1];
    if (literal !== undefined) return literal;
    return this.#match(BASIC_STRING)?.[1]?.replace(/\\(u[0-9A-Fa-f]{4}|.)/g, (_, escaped: string) => {
      if (/^u./.test(escaped)) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
      const character = ESCAPES[escaped];
      if (character === undefined) throw this.error(`the escape "\\${escaped}" is unknown`);
      return character;
    });
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#rest) ?? undefined;
    if (match !== undefined) this.#rest = this.#rest.slice(match[0].length);
    return match;
  }
}
