/** What the last word of a command line may become: for the shells' tab completion. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type {
  ArgumentSpecification,
  Command,
  CommandEntry,
  CommandTable,
  OptionSpecification,
} from "../verbs/index.ts";
import { defaultRepositoryPath } from "../verbs/shared/repository-option.ts";
import { HELP_OPTION, optionsOf } from "./common-options.ts";

/** A word, and its meaning for shells that show it. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** Transports of an image reference; each is followed by a place that only the user knows, or a path. */
const TRANSPORTS: readonly Candidate[] = [
  { value: "docker://", description: "a registry" },
  { value: "oci:", description: "an OCI layout" },
  { value: "oci-archive:", description: "a tar of an OCI layout" },
  { value: "dir:", description: "a directory of blobs" },
  { value: "docker-archive:", description: "what docker save writes" },
  { value: "containers-storage:", description: "podman's store" },
];

/**
 * @param table the verbs there are; hidden ones are left out
 * @param words those after `sealroot`, the last one unfinished
 * @returns no candidates where the shell should complete file names itself
 */
export async function completeWords(
  { entries, groups }: CommandTable,
  words: readonly string[],
): Promise<readonly Candidate[]> {
  const visible = { entries: entries.filter((entry) => entry.hidden !== true), groups };
  const before = words.slice(0, -1);
  const unfinished = words.at(-1) ?? "";
  const candidates = await candidatesAfter(visible, before, unfinished);
  return candidates.filter(({ value }) => value.startsWith(unfinished));
}

async function candidatesAfter(
  table: CommandTable,
  before: readonly string[],
  unfinished: string,
): Promise<readonly Candidate[]> {
  const names = verbNames(table, before);
  const entry = longestVerb(table, before);
  if (entry === undefined) return names;
  const command = await entry.load();
  const options = [...optionsOf(command).filter(({ hidden }) => hidden !== true), HELP_OPTION];
  const option = optionAwaitingValue(before.at(-1), options);
  if (option !== undefined) return optionValues(option);
  if (unfinished.startsWith("-")) return optionNames(options);
  const argument = argumentAt(command, before.slice(entry.path.length), options);
  return [...names, ...(argument === undefined ? [] : argumentValues(argument, entry, before, unfinished))];
}

/** The next word of every verb that begins with `before`. */
function verbNames({ entries, groups }: CommandTable, before: readonly string[]): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { path, summary } of entries) {
    const name = path[before.length];
    if (name === undefined || !before.every((word, index) => path[index] === word) || found.has(name)) continue;
    const group = path.length > before.length + 1 ? groups[path.slice(0, before.length + 1).join(" ")] : undefined;
    found.set(name, { value: name, description: group ?? summary });
  }
  return [...found.values()];
}

function longestVerb({ entries }: CommandTable, before: readonly string[]): CommandEntry | undefined {
  return entries
    .filter(({ path }) => path.every((word, index) => before[index] === word))
    .sort((a, b) => b.path.length - a.path.length)[0];
}

/** The option whose value is the next word: `--name` without `=` before it, of an option that takes a value. */
function optionAwaitingValue(word: string | undefined, options: readonly OptionSpecification[]) {
  if (word === undefined || !word.startsWith("-")) return undefined;
  return options.find(({ flags }) => /<[^>]+>$/.test(flags) && flagNames(flags).includes(word));
}

/** `-o, --output <IMAGE>`: its names. */
function flagNames(flags: string): string[] {
  return flags.match(/--?[a-zA-Z0-9][a-z0-9-]*/g) ?? [];
}

function optionNames(options: readonly OptionSpecification[]): Candidate[] {
  return options
    .map(({ flags, summary }) => ({ value: flagNames(flags).at(-1) ?? "", description: summary }))
    .sort((a, b) => (a.value < b.value ? -1 : 1));
}

function optionValues(option: OptionSpecification): readonly Candidate[] {
  if (option.choices !== undefined) return option.choices.map((value) => ({ value }));
  return option.flags.endsWith("<IMAGE>") ? TRANSPORTS : [];
}

/** The argument that the next word without a dash is. */
function argumentAt(command: Command, words: readonly string[], options: readonly OptionSpecification[]) {
  const given = words.filter((word, index) => {
    return !word.startsWith("-") && optionAwaitingValue(words[index - 1], options) === undefined;
  });
  const specifications = command.arguments ?? [];
  const last = specifications.at(-1);
  return specifications[given.length] ?? (last?.repeat === true ? last : undefined);
}

function argumentValues(
  argument: ArgumentSpecification,
  entry: CommandEntry,
  before: readonly string[],
  unfinished: string,
): readonly Candidate[] {
  const isOfRepository = entry.path[0] === "repo" || entry.path[0] === "image";
  if (argument.holds === "image") return isOfRepository ? repositoryNames(before) : referenceValues(unfinished);
  return argument.holds === "reference" ? referenceValues(unfinished) : [];
}

/** Transports; after one for the file system, what is there. */
function referenceValues(unfinished: string): readonly Candidate[] {
  const transport = /^(?:oci|oci-archive|dir|docker-archive):/.exec(unfinished)?.[0];
  if (transport === undefined) return TRANSPORTS;
  const path = unfinished.slice(transport.length);
  const directory = path.endsWith("/") ? path : path === "" ? "." : dirname(path);
  const prefix = path.includes("/") ? (directory.endsWith("/") ? directory : `${directory}/`) : "";
  return listDirectory(directory).map((name) => ({ value: `${transport}${prefix}${name}` }));
}

/** Names of directories end in a slash, so that completion continues inside. */
function listDirectory(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).map(
      (item) => `${item.name}${item.isDirectory() ? "/" : ""}`,
    );
  } catch {
    // A place that cannot be read offers nothing; the verb itself will say why.
    return [];
  }
}

/** Tags of OCI images in the repository that the words name, and ids of its EROFS images, read from directory names. */
function repositoryNames(before: readonly string[]): Candidate[] {
  const repository = repositoryOf(before);
  const tags = listDirectory(join(repository, "streams/refs/oci")).map((name) => ({
    value: name.replaceAll("%2F", "/").replaceAll("%25", "%"),
    description: "tag",
  }));
  const ids = listDirectory(join(repository, "images")).filter((name) => /^[0-9a-f]+$/.test(name));
  return [...tags, ...ids.map((value) => ({ value, description: "EROFS image" }))];
}

function repositoryOf(before: readonly string[]): string {
  const given = before.indexOf("--repo");
  const value = before.find((word) => word.startsWith("--repo="))?.slice("--repo=".length);
  const path = given < 0 ? value : before[given + 1];
  if (path !== undefined && existsSync(path)) return path;
  return defaultRepositoryPath({ user: before.includes("--user"), system: before.includes("--system") });
}
