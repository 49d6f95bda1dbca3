/** Turns the words of the command line into one call of one verb. */
import { Command as Commander, CommanderError, Option } from "commander";
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import type { AnyInvocation, Command, CommandEntry, OptionSpecification, Output } from "../verbs/index.ts";
import { HELP_OPTION, optionsOf } from "./common-options.ts";
import type { ProgressMode } from "./progress.ts";
import { parseProgressFd } from "./progress-fd.ts";

/** What parsing found: run the verb, or just print this text (help). */
export type ParseResult =
  | {
      readonly type: "run";
      readonly progress: ProgressMode;
      /** Where progress also goes as JSON lines. */
      readonly progressFd: number | undefined;
      invocation(output: Output, events: EventSink): AnyInvocation;
    }
  | { readonly type: "help"; readonly text: string };

/**
 * Parses the words after the verb.
 *
 * @param words the command line without the words of `entry.path`
 * @throws SealrootError `usage` with the parser's sentence
 */
export function parseInvocation(entry: CommandEntry, command: Command, words: readonly string[]): ParseResult {
  let helpText = "";
  const parser = commanderFor(entry, command);
  parser.exitOverride().configureOutput({
    writeOut: (text) => {
      helpText += text;
    },
    writeErr: () => {},
  });
  try {
    parser.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { type: "help", text: helpText };
    throw wrongWords(error.message.replace(/^error: /, "").replace(/\n/g, " "), entry);
  }
  const values = parser.opts<Record<string, unknown>>();
  refuseMissingOption(command, values, entry);
  refuseCombinations(optionsOf(command), values, entry);
  const names = new Set(parser.options.map((option) => option.attributeName()));
  const positional = new Map<string, string | readonly string[]>();
  (command.arguments ?? []).forEach((argument, index) => {
    const value: unknown = parser.processedArgs[index];
    if (typeof value === "string") positional.set(argument.name, value);
    else if (Array.isArray(value)) positional.set(argument.name, value.map(String));
  });
  return {
    type: "run",
    progress: values.quiet === true ? "none" : ((values.progress as ProgressMode | undefined) ?? "auto"),
    progressFd: typeof values.progressFd === "string" ? parseProgressFd(values.progressFd) : undefined,
    invocation: (output, events) => new ParsedInvocation(positional, values, names, output, events),
  };
}

function wrongWords(message: string, entry: CommandEntry): SealrootError {
  return new SealrootError("usage", message, { hint: `run: sealroot ${entry.path.join(" ")} --help` });
}

/** After the parser, which would report what is missing before what is wrong. */
function refuseMissingOption(command: Command, values: Readonly<Record<string, unknown>>, entry: CommandEntry): void {
  for (const { flags, required } of command.options ?? []) {
    if (required !== true || values[new Option(flags).attributeName()] !== undefined) continue;
    throw wrongWords(`required option '${flags}' not specified`, entry);
  }
}

/** What {@link OptionSpecification.excludes} and {@link OptionSpecification.needs} say about the given options. */
function refuseCombinations(
  options: readonly OptionSpecification[],
  values: Readonly<Record<string, unknown>>,
  entry: CommandEntry,
): void {
  const given = new Set(
    options
      .map(({ flags }) => new Option(flags))
      .filter((option) => values[option.attributeName()] !== (option.negate ? true : undefined))
      .map((option) => option.name()),
  );
  for (const { flags, excludes = [], needs = [] } of options) {
    const name = new Option(flags).name();
    if (!given.has(name)) continue;
    const excluded = excludes.find((other) => given.has(other));
    if (excluded !== undefined) throw wrongWords(`--${name} and --${excluded} exclude each other`, entry);
    const missing = needs.find((other) => !given.has(other));
    if (missing !== undefined) throw wrongWords(`--${name} needs --${missing}`, entry);
  }
}

function commanderFor(entry: CommandEntry, command: Command): Commander {
  const parser = new Commander(`sealroot ${entry.path.join(" ")}`);
  parser.description([`${entry.summary}.`, ...paragraphsOf(command.description ?? "")].join("\n\n"));
  for (const argument of command.arguments ?? []) {
    const name = argument.repeat ? `${argument.name}...` : argument.name;
    parser.argument(argument.optional ? `[${name}]` : `<${name}>`, argument.summary);
  }
  for (const option of optionsOf(command)) parser.addOption(commanderOption(option));
  parser.helpOption(HELP_OPTION.flags, HELP_OPTION.summary);
  parser.addHelpText("after", `\nExample:\n${command.examples.map((line) => `  ${line}`).join("\n")}`);
  return parser;
}

function commanderOption(specification: OptionSpecification): Option {
  const option = new Option(specification.flags, specification.summary);
  if (specification.choices) option.choices([...specification.choices]);
  if (specification.hidden) option.hideHelp();
  const { check, repeat } = specification;
  if (check !== undefined || repeat) {
    option.argParser((value: string, previous: unknown): unknown => {
      check?.(value);
      return repeat ? [...(Array.isArray(previous) ? previous : []), value] : value;
    });
  }
  return option;
}

/** Paragraphs without the line breaks of the source: commander wraps them at the terminal's width. */
function paragraphsOf(description: string): string[] {
  return description
    .split(/\n{2,}/)
    .filter((paragraph) => paragraph !== "")
    .map((paragraph) => paragraph.replace(/\n(?! )/g, " "));
}

class ParsedInvocation implements AnyInvocation {
  readonly output: Output;
  readonly events: EventSink;
  readonly #positional: ReadonlyMap<string, string | readonly string[]>;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #names: ReadonlySet<string>;

  constructor(
    positional: ReadonlyMap<string, string | readonly string[]>,
    values: Readonly<Record<string, unknown>>,
    names: ReadonlySet<string>,
    output: Output,
    events: EventSink,
  ) {
    this.#positional = positional;
    this.#values = values;
    this.#names = names;
    this.output = output;
    this.events = events;
  }

  get json(): boolean {
    return this.#values.json !== undefined;
  }

  argument(name: string): string {
    const value = this.optionalArgument(name);
    if (value === undefined) throw new SealrootError("usage", `Argument ${name} is missing`);
    return value;
  }

  optionalArgument(name: string): string | undefined {
    const value = this.#positional.get(name);
    return typeof value === "string" ? value : undefined;
  }

  arguments(name: string): readonly string[] {
    const value = this.#positional.get(name);
    return typeof value === "string" ? [value] : (value ?? []);
  }

  flag(name: string): boolean {
    return this.#value(name) === true;
  }

  negated(name: string): boolean {
    return this.#value(name) === false;
  }

  option(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === "string" ? value : undefined;
  }

  required(name: string): string {
    const value = this.option(name);
    if (value === undefined) throw new Error(`unreachable: --${name} is required`);
    return value;
  }

  list(name: string): readonly string[] {
    const value = this.#value(name);
    if (typeof value === "string") return [value];
    return Array.isArray(value) ? value.map(String) : [];
  }

  #value(name: string): unknown {
    const camelCase = name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    if (!this.#names.has(camelCase)) throw new TypeError(`the verb has no option --${name}`);
    return this.#values[camelCase];
  }
}
