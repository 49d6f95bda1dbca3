/**
 * Regular expressions of file_contexts lines: the byte-wise dialect of the Rust crate regex, which the reference tool uses
 * (spec/oci.md 6), as far as policies use it.
 */
import type { ByteString } from "../bytes/index.ts";
import { anyByte, byteSet, escapedClass } from "./byte-set.ts";
import { parseClass, parseEscapedByte } from "./regex-class.ts";
import { corruptRegex, unsupportedRegex } from "./regex-errors.ts";
import type { RegexNode } from "./regex-tree.ts";

/** As the crate's default. Keeps recursion over the tree safe. */
const NESTING_MAX = 250;
/** Above it, counted repetition would only blow up the automaton. */
const REPETITIONS_MAX = 1000;

/** Thrown by {@link parseRegex} for look-around, which only a backtracking engine can do. */
export class NeedsLookAround extends Error {}

/**
 * Parses an expression.
 * @throws SealrootError `unsupported` for constructs whose meaning is unclear, `corrupt` for broken syntax
 * @throws NeedsLookAround
 */
export function parseRegex(pattern: ByteString): RegexNode {
  const parser = new RegexParser(pattern);
  const node = parser.parseChoice(0);
  if (parser.at < pattern.length) throw corruptRegex("unopened group");
  return node;
}

class RegexParser {
  readonly #pattern: ByteString;
  at = 0;

  constructor(pattern: ByteString) {
    this.#pattern = pattern;
  }

  parseChoice(depth: number): RegexNode {
    if (depth > NESTING_MAX) throw unsupportedRegex(`nesting deeper than ${NESTING_MAX}`);
    const options = [this.#parseSequence(depth)];
    while (this.#pattern[this.at] === "|") {
      this.at++;
      options.push(this.#parseSequence(depth));
    }
    return options.length === 1 && options[0] !== undefined ? options[0] : { type: "choice", options };
  }

  #parseSequence(depth: number): RegexNode {
    const parts: RegexNode[] = [];
    for (let next = this.#pattern[this.at]; next !== undefined && next !== "|" && next !== ")"; ) {
      parts.push(this.#parseRepeated(depth));
      next = this.#pattern[this.at];
    }
    return { type: "sequence", parts };
  }

  #parseRepeated(depth: number): RegexNode {
    const part = this.#parseAtom(depth);
    const bounds = this.#parseQuantifier();
    if (bounds === undefined) return part;
    if (this.#pattern[this.at] === "?") this.at++; // lazy: the same language
    if (/^[*+?]/.test(this.#pattern.slice(this.at)) || this.#parseQuantifier() !== undefined) {
      throw unsupportedRegex("a quantifier after a quantifier");
    }
    return { type: "repeat", part, ...bounds };
  }

  #parseQuantifier(): { min: number; max: number } | undefined {
    const match = /^(?:([*+?])|\{([0-9]+)(,?)([0-9]*)\})/.exec(this.#pattern.slice(this.at, this.at + 32));
    if (match === null) return undefined;
    const [text, symbol, low = "", comma, high = ""] = match;
    if (symbol === undefined && comma === "" && high !== "") return undefined;
    this.at += text.length;
    if (symbol !== undefined)
      return { min: symbol === "+" ? 1 : 0, max: symbol === "?" ? 1 : Number.POSITIVE_INFINITY };
    const min = Number(low);
    const max = comma === "" ? min : high === "" ? Number.POSITIVE_INFINITY : Number(high);
    if (min > max) throw corruptRegex(`repetition ${text} with bounds in the wrong order`);
    if (min > REPETITIONS_MAX || (max !== Number.POSITIVE_INFINITY && max > REPETITIONS_MAX)) {
      throw unsupportedRegex(`repetition ${text} of more than ${REPETITIONS_MAX}`);
    }
    return { min, max };
  }

  #parseAtom(depth: number): RegexNode {
    const next = this.#pattern[this.at] as string;
    if (next === "(") return this.#parseGroup(depth);
    if (next === "[") {
      const { set, end } = parseClass(this.#pattern, this.at);
      this.at = end;
      return { type: "set", set };
    }
    if (next === "\\") return this.#parseEscape();
    if ("*+?".includes(next)) throw corruptRegex(`"${next}" without anything to repeat`);
    if (next === ".") return this.#take(1, { type: "set", set: anyByte() });
    if (next === "^") return this.#take(1, { type: "start" });
    if (next === "$") return this.#take(1, { type: "end" });
    return this.#parseLiteral();
  }

  #parseGroup(depth: number): RegexNode {
    const opening = /^\((?:\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|:))?/.exec(this.#pattern.slice(this.at, this.at + 128));
    const length = opening?.[0].length ?? 1;
    const rest = this.#pattern.slice(this.at, this.at + 4);
    if (/^\(\?<?[=!]/.test(rest)) throw new NeedsLookAround();
    if (length === 1 && rest[1] === "?") throw unsupportedRegex(`the group "${rest}"`);
    this.at += length;
    const node = this.parseChoice(depth + 1);
    if (this.#pattern[this.at] !== ")") throw corruptRegex("unclosed group");
    this.at++;
    return node;
  }

  #parseEscape(): RegexNode {
    const letter = this.#pattern[this.at + 1];
    const set = letter === undefined ? undefined : escapedClass(letter);
    if (set !== undefined) return this.#take(2, { type: "set", set });
    if (letter === "A") return this.#take(2, { type: "start" });
    if (letter === "z") return this.#take(2, { type: "end" });
    const { value, end } = parseEscapedByte(this.#pattern, this.at);
    this.at = end;
    return literal(value);
  }

  /** One character; if it is not ASCII, a quantifier applies to all its bytes. */
  #parseLiteral(): RegexNode {
    const start = this.at++;
    while ((this.#pattern.charCodeAt(this.at) & 0xc0) === 0x80) this.at++;
    const bytes = [...this.#pattern.slice(start, this.at)].map((byte) => literal(byte.charCodeAt(0)));
    return bytes.length === 1 && bytes[0] !== undefined ? bytes[0] : { type: "sequence", parts: bytes };
  }

  #take(length: number, node: RegexNode): RegexNode {
    this.at += length;
    return node;
  }
}

const LITERALS: readonly RegexNode[] = Array.from({ length: 256 }, (_, value) => ({
  type: "set",
  set: byteSet((each) => each === value),
}));

function literal(value: number): RegexNode {
  return LITERALS[value] as RegexNode;
}
