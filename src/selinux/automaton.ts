/** Many expressions as one nondeterministic automaton (R. Cox, "Regular Expression Matching: the Virtual Machine Approach"). */
import { SealrootError } from "../errors/index.ts";
import type { ByteSet } from "./byte-set.ts";
import type { RegexNode } from "./regex-tree.ts";

/** One step of the automaton: the next step is `next`, for `split` also `other`. */
export type Instruction =
  | { readonly op: "consume"; readonly set: ByteSet; readonly next: number }
  | { readonly op: "split"; next: number; readonly other: number }
  /** Passes only before the first byte. */
  | { readonly op: "start"; readonly next: number }
  | { readonly op: "fail" }
  | { readonly op: "match"; readonly rule: number };

/** A Fedora policy needs about 300,000; a hostile one must not need gigabytes. */
const INSTRUCTIONS_MAX = 1_000_000;

/** Compiles expressions backwards, each with the place to continue at. */
export class Automaton {
  readonly instructions: Instruction[] = [];
  readonly starts: number[] = [];

  /** Adds an expression; what it matches, followed by one byte of `end`, is a match of `rule`. */
  addRule(rule: number, node: RegexNode, end: ByteSet): void {
    const match = this.#emit({ op: "match", rule });
    this.starts.push(this.#compile(node, this.#emit({ op: "consume", set: end, next: match })));
  }

  #emit(instruction: Instruction): number {
    if (this.instructions.length >= INSTRUCTIONS_MAX) {
      throw new SealrootError("unsupported", `expressions need more than ${INSTRUCTIONS_MAX} automaton steps`);
    }
    return this.instructions.push(instruction) - 1;
  }

  #compile(node: RegexNode, next: number): number {
    switch (node.type) {
      case "set":
        return this.#emit({ op: "consume", set: node.set, next });
      case "sequence":
        return node.parts.reduceRight((then, part) => this.#compile(part, then), next);
      case "choice":
        return node.options
          .map((option) => this.#compile(option, next))
          .reduceRight((other, option) => this.#emit({ op: "split", next: option, other }));
      case "repeat":
        return this.#compileRepeat(node, next);
      case "start":
        return this.#emit({ op: "start", next });
      case "end":
        return this.#emit({ op: "fail" });
    }
  }

  #compileRepeat(node: Extract<RegexNode, { type: "repeat" }>, next: number): number {
    let start = next;
    if (node.max === Number.POSITIVE_INFINITY) {
      const loop: Instruction = { op: "split", next: -1, other: next };
      start = this.#emit(loop);
      loop.next = this.#compile(node.part, start);
    } else {
      for (let count = node.min; count < node.max; count++) {
        start = this.#emit({ op: "split", next: this.#compile(node.part, start), other: next });
      }
    }
    for (let count = 0; count < node.min; count++) start = this.#compile(node.part, start);
    return start;
  }
}
