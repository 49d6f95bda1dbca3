/** Manual pages in the man(7) macros. */
import { sharedOptions } from "../common-options.ts";
import { synopsis, type VerbManual } from "./verb-manual.ts";

/** What a page's header says. */
export interface PageFacts {
  readonly version: string;
  /** YYYY-MM-DD */
  readonly date: string;
}

const EXIT_STATUS: readonly (readonly [string, string])[] = [
  ["0", "The work is done."],
  ["1", "It failed; the reason is on standard error."],
  ["2", "The command line is wrong."],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["SOURCE_DATE_EPOCH", "Seconds since 1970 to use as the current time, so that equal inputs give equal bytes."],
  ["TMPDIR", "Where large work is staged; /var/tmp when absent."],
  ["SEALROOT_DEBUG", "When set, an error is followed by where in the program it arose."],
];

/** The page of one verb, `sealroot-image-pull(1)`. */
export function verbPage(verb: VerbManual, facts: PageFacts): string {
  const name = pageName(verb.path);
  const options = [...verb.options, ...sharedOptions()];
  return [
    head(name, facts),
    ".SH NAME",
    `${roff(name)} \\- ${roff(lowerFirst(verb.summary))}`,
    ".SH SYNOPSIS",
    `.B sealroot ${roff(synopsis(verb))}`,
    ...(verb.description.length === 0 ? [] : [".SH DESCRIPTION", ...verb.description.flatMap(paragraph)]),
    ...section(
      "ARGUMENTS",
      verb.arguments.map(({ name: argument, summary }) => [argument, summary]),
    ),
    ...section(
      "OPTIONS",
      options.map((option) => [option.flags, optionText(option)]),
    ),
    ".SH EXAMPLES",
    ...verb.examples.flatMap((line) => [".PP", ".nf", roff(line), ".fi"]),
    ...section("EXIT STATUS", EXIT_STATUS),
    ".SH SEE ALSO",
    ".BR sealroot (1)",
    "",
  ].join("\n");
}

/** `sealroot(1)`: all verbs, and what applies to each of them. */
export function overviewPage(verbs: readonly VerbManual[], about: string, facts: PageFacts): string {
  return [
    head("sealroot", facts),
    ".SH NAME",
    `sealroot \\- ${roff(lowerFirst(about))}`,
    ".SH SYNOPSIS",
    ".B sealroot VERB [OPTIONS] [ARGUMENTS]",
    ...section(
      "VERBS",
      verbs.map(({ path, summary }) => [`${pageName(path)}(1)`, `${summary}.`]),
    ),
    ...section(
      "OPTIONS",
      sharedOptions().map((option) => [option.flags, optionText(option)]),
    ),
    ...section("ENVIRONMENT", ENVIRONMENT),
    ...section("EXIT STATUS", EXIT_STATUS),
    "",
  ].join("\n");
}

/** The name of a verb's page, without its section. */
export function pageName(path: readonly string[]): string {
  return ["sealroot", ...path].join("-");
}

function head(name: string, { version, date }: PageFacts): string {
  return `.TH ${roff(name.toUpperCase())} 1 "${date}" "sealroot ${version}" "sealroot"`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  return [`.SH ${title}`, ...rows.flatMap(([term, text]) => [".TP", `.B ${roff(term)}`, roff(text)])];
}

function optionText(option: { readonly summary: string; readonly choices?: readonly string[] }): string {
  const text = `${option.summary.charAt(0).toUpperCase()}${option.summary.slice(1)}.`;
  return option.choices === undefined ? text : `${text} One of ${option.choices.join(", ")}.`;
}

/** Lines that begin with a blank are a table or a drawing: they stay unchanged. */
function paragraph(text: string): string[] {
  const lines = text.split("\n");
  if (lines.some((line) => line.startsWith(" "))) return [".PP", ".nf", ...lines.map(roff), ".fi"];
  return [".PP", roff(lines.join(" "))];
}

/**
 * A backslash begins an escape, a dot or a quote at the start of a line a macro; `\\-` is the minus that can be copied.
 */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
