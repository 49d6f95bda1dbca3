/** A piece of work that is measured: our command, and the programs that do it elsewhere. */
import type { Command } from "./measure.ts";
import { type BenchTool, findBenchTool } from "./tools.ts";
import type { BenchUpdate } from "./update.ts";

export interface BenchCase {
  readonly name: string;
  readonly ours: Attempt;
  /** The goal is a share of the first one's time. */
  readonly counterparts?: readonly Counterpart[];
  /** True when ours and the first counterpart must print the same last word, so that equal work is compared. */
  readonly sameResult?: boolean;
  /** The wall time to reach, as a share of the counterpart's. */
  readonly goal?: number;
  /** The wall time to reach. */
  readonly goalSeconds?: number;
  /** What our `--json` report says was fetched, and what there is to fetch. */
  readonly fetch?: BenchUpdate;
}

export interface Attempt {
  /** Removed before every run. */
  readonly fresh?: readonly string[];
  /** Removed before every run and after it: nothing else reads it, and it takes up room. */
  readonly passing?: readonly string[];
  /** Run before every run, not measured. */
  readonly setup?: readonly Command[];
  readonly command: Command;
}

/** Another way to the same end; or the programs that it would need and that are not here. */
export type Counterpart =
  | { readonly name: string; readonly attempt: Attempt }
  | { readonly name: string; readonly missing: readonly string[] };

/**
 * A counterpart where its programs are, else one that says which are not.
 * @param needs names of programs; `attempt` gets their paths in the same order
 */
export function counterpart(
  name: string,
  needs: readonly BenchTool[],
  attempt: (...paths: readonly string[]) => Attempt,
): Counterpart {
  const found = needs.map((tool) => ({ tool, path: findBenchTool(tool) }));
  const missing = found.filter(({ path }) => path === undefined).map(({ tool }) => tool);
  return missing.length > 0 ? { name, missing } : { name, attempt: attempt(...found.map(({ path }) => path ?? "")) };
}

/** A program of several lines, which ends at the first that fails. `words` are $1, $2 and so on. */
export function shell(lines: readonly string[], ...words: readonly string[]): Command {
  return { program: "/bin/sh", args: ["-euc", lines.join("\n"), "sh", ...words] };
}
