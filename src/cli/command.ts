/**
 * What a verb is: one object in one file under `verbs/`, from which parsing, help, tab completion and the manual come.
 */
import type { EventSink } from "../events/index.ts";
import type { Output } from "./output.ts";

export interface ArgumentSpecification {
  /** Name in capitals as help shows it, such as `IMAGE`. */
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** Takes all remaining words; only the last argument may. */
  readonly repeat?: boolean;
  /** What tab completion offers: an image of the repository, a reference to an image anywhere; file names when absent. */
  readonly holds?: "image" | "reference";
}

export interface OptionSpecification {
  /** As commander writes it: `--wipe`, `--size <SIZE>`, `-o, --output <IMAGE>`. */
  readonly flags: string;
  readonly summary: string;
  /** May be given several times; read with {@link Invocation.list}. */
  readonly repeat?: boolean;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  /** Refuses a value before anything else is looked at. @throws SealrootError `usage` */
  readonly check?: (text: string) => void;
  /** Accepted for bootc's sake and left out of the help. */
  readonly hidden?: boolean;
}

export interface Command {
  /** More than the one line of the table in `commands.ts`; paragraphs separated by empty lines. */
  readonly description?: string;
  readonly arguments?: readonly ArgumentSpecification[];
  readonly options?: readonly OptionSpecification[];
  /** At least one complete command line. */
  readonly examples: readonly string[];
  /** True when `--json` is meaningful; the framework then adds the option. */
  readonly reportsJson?: boolean;
  /** Does the work. Returns the exit code when it is not 0; throws SealrootError for failures (exit code 1). */
  run(invocation: Invocation): Promise<number | undefined> | Promise<void>;
}

/** A verb in the table of `commands.ts`. */
export interface CommandEntry {
  /** The words that select the verb, such as ["repo", "init"]. */
  readonly path: readonly string[];
  /** One line, beginning with a verb in the imperative, no final period. */
  readonly summary: string;
  /** Left out of help and completion. */
  readonly hidden?: boolean;
  load(): Promise<Command>;
}

/** All verbs, for those that tell of others. */
export interface CommandTable {
  readonly entries: readonly CommandEntry[];
  /** What a group of verbs is about, by its words. */
  readonly groups: Readonly<Record<string, string>>;
}

/**
 * One call of a verb: its words as given, and where its output goes. An option is read by the long form's name without
 * dashes; a name that the verb does not have is an error of the program, never silently absent.
 */
export interface Invocation {
  /** The value of the named argument ("IMAGE"). @throws SealrootError `usage` when it is absent */
  argument(name: string): string;
  optionalArgument(name: string): string | undefined;
  /** All values of a repeating argument. */
  arguments(name: string): readonly string[];
  /** True when the option without value was given. */
  flag(name: string): boolean;
  /** True when `--no-NAME` was given, for what is so unless it is taken away. */
  negated(name: string): boolean;
  option(name: string): string | undefined;
  /** All values of a repeating option, in order. */
  list(name: string): readonly string[];
  /** True when the result is to be JSON. */
  readonly json: boolean;
  readonly output: Output;
  readonly events: EventSink;
}
