/** What the manual says about a verb: taken from the table of verbs and the verb's own file, like help and parsing. */
import type { ArgumentSpecification, Command, CommandEntry, OptionSpecification } from "../../verbs/index.ts";
import { COMMANDS } from "../commands.ts";
import { optionsOf, sharedOptions } from "../common-options.ts";

export interface VerbManual {
  /** The words after `sealroot`. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Paragraphs; one that begins with a blank keeps its lines. */
  readonly description: readonly string[];
  readonly arguments: readonly ArgumentSpecification[];
  /** Without hidden ones and those of every verb. */
  readonly options: readonly OptionSpecification[];
  readonly examples: readonly string[];
}

/** Every verb that help shows, in the order of the table. */
export async function verbManuals(): Promise<VerbManual[]> {
  return Promise.all(
    COMMANDS.filter((entry) => entry.hidden !== true).map(async (entry) => manualOf(entry, await entry.load())),
  );
}

const shared = new Set(sharedOptions().map(({ flags }) => flags));

function manualOf(entry: CommandEntry, command: Command): VerbManual {
  return {
    path: entry.path,
    summary: entry.summary,
    description: (command.description ?? "").split(/\n{2,}/).filter((paragraph) => paragraph !== ""),
    arguments: command.arguments ?? [],
    options: optionsOf(command).filter((option) => option.hidden !== true && !shared.has(option.flags)),
    examples: command.examples,
  };
}

/** `sealroot image pull [OPTIONS] REFERENCE [NAME]`, without `sealroot`. */
export function synopsis(verb: VerbManual): string {
  const words = verb.arguments.map((argument) => {
    const name = argument.repeat === true ? `${argument.name}...` : argument.name;
    return argument.optional === true ? `[${name}]` : name;
  });
  return [...verb.path, "[OPTIONS]", ...words].join(" ");
}
