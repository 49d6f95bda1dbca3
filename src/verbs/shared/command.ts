/**
 * What a verb is: one object in one file under `verbs/`, from which parsing, help, tab completion and the manual come.
 */
import type { EventSink } from "../../events/index.ts";
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
  /** Refuses a value before anything else is checked. @throws SealrootError `usage` */
  readonly check?: (text: string) => void;
  /** Names of options that cannot be given with it. */
  readonly excludes?: readonly string[];
  /** Names of options that it needs. */
  readonly needs?: readonly string[];
  /** Accepted for compatibility with bootc and left out of the help. */
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
  run(invocation: AnyInvocation): Promise<number | undefined> | Promise<void>;
}

/** A command whose `run` can ask only for its own options and arguments: another name does not compile. */
export function command<
  const Options extends readonly OptionSpecification[] = readonly [],
  const Arguments extends readonly ArgumentSpecification[] = readonly [],
>(
  definition: Omit<Command, "options" | "arguments" | "run"> & {
    readonly options?: Options;
    readonly arguments?: Arguments;
    run(invocation: Invocation<Options, Arguments>): ReturnType<Command["run"]>;
  },
): Command {
  // The parser's call answers to every name.
  return definition as Command;
}

/** A verb in the table of `commands.ts`. */
export interface CommandEntry {
  /** The words that select the verb, such as ["repo", "init"]. */
  readonly path: readonly string[];
  /** One line, beginning with a verb in the imperative, no final period. */
  readonly summary: string;
  /** Left out of help and completion. */
  readonly hidden?: boolean;
  /** The words of the verb that this is another name of. */
  readonly aliasOf?: readonly string[];
  load(): Promise<Command>;
}

/** All verbs, for those that describe others. */
export interface CommandTable {
  readonly entries: readonly CommandEntry[];
  /** What a group of verbs is about, by its words. */
  readonly groups: Readonly<Record<string, string>>;
}

/**
 * One call of a verb: its words as given, and where its output goes. An option is read by its long name without dashes;
 * the type parameters say which names there are.
 */
interface Call<
  Argument extends string,
  Flag extends string,
  Negated extends string,
  Value extends string,
  Required extends string,
  List extends string,
> {
  // Properties, not methods: only then does the compiler refuse a call that lacks some of the names.
  /** The value of the named argument ("IMAGE"). @throws SealrootError `usage` when it is absent */
  readonly argument: (name: Argument) => string;
  readonly optionalArgument: (name: Argument) => string | undefined;
  /** All values of a repeating argument. */
  readonly arguments: (name: Argument) => readonly string[];
  /** True when the option without value was given. */
  readonly flag: (name: Flag) => boolean;
  /** True when `--no-NAME` was given, for defaults that can be switched off. */
  readonly negated: (name: Negated) => boolean;
  readonly option: (name: Value) => string | undefined;
  /** The value of a required option. */
  readonly required: (name: Required) => string;
  /** All values of a repeating option, in order. */
  readonly list: (name: List) => readonly string[];
  /** True when the result is to be JSON. */
  readonly json: boolean;
  readonly output: Output;
  readonly events: EventSink;
}

/**
 * The call of a verb that has these options and arguments. A function accepts it from any verb that has more of them.
 */
export type Invocation<
  Options extends readonly OptionSpecification[] = readonly [],
  Arguments extends readonly ArgumentSpecification[] = readonly [],
> = Call<
  Arguments[number]["name"],
  FlagName<Options[number]>,
  NegatedName<Options[number]>,
  ValueName<Options[number]>,
  LongName<Extract<Options[number], { readonly required: true }>["flags"]>,
  LongName<Extract<Options[number], { readonly repeat: true }>["flags"]>
>;

/** A call whose verb is not known yet. */
export type AnyInvocation = Call<string, string, string, string, string, string>;

/** `output` of `-o, --output <IMAGE>`. */
type LongName<Flags extends string> = Flags extends `${string}--${infer Rest}`
  ? Rest extends `${infer Name} ${string}`
    ? Name
    : Rest
  : never;
/** `--size <SIZE>` has a value, `--json [FORM]` may have one. */
type WithValue = `${string} <${string}` | `${string} [${string}`;
type ValueName<Option extends OptionSpecification> = Option extends { readonly repeat: true }
  ? never
  : LongName<Extract<Option["flags"], WithValue>>;
type FlagName<Option extends OptionSpecification> = LongName<Exclude<Option["flags"], WithValue>>;
type NegatedName<Option extends OptionSpecification> =
  FlagName<Option> extends infer Name ? (Name extends `no-${infer Rest}` ? Rest : never) : never;
