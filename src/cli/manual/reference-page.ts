/** The reference of the command line as one Markdown page, docs/cli.md. */
import { sharedOptions } from "../common-options.ts";
import { synopsis, type VerbManual } from "./verb-manual.ts";

const INTRODUCTION = `# Verbs and options

Generated from the table of verbs by \`./just reference\`; a test compares the two. Every verb also has \`--help\`
and a manual page.

Exit codes: 0 done, 1 failed, 2 wrong usage.
`;

/** The whole page. */
export function referencePage(verbs: readonly VerbManual[]): string {
  const contents = verbs.map(({ path, summary }) => `| [\`${path.join(" ")}\`](#${anchor(path)}) | ${cell(summary)} |`);
  return [
    INTRODUCTION,
    "| verb | |",
    "|---|---|",
    ...contents,
    "",
    "## Options of every verb",
    "",
    ...table(
      "option",
      sharedOptions().map((option) => [option.flags, optionText(option)]),
    ),
    ...verbs.flatMap(verbSection),
  ].join("\n");
}

function verbSection(verb: VerbManual): string[] {
  return [
    `## sealroot ${verb.path.join(" ")}`,
    "",
    `${verb.summary}.`,
    "",
    "```",
    `sealroot ${synopsis(verb)}`,
    "```",
    "",
    ...verb.description.flatMap((text) => [plainParagraph(text), ""]),
    ...table(
      "argument",
      verb.arguments.map(({ name, summary }) => [name, summary]),
    ),
    ...table(
      "option",
      verb.options.map((option) => [option.flags, optionText(option)]),
    ),
    verb.examples.length === 1 ? "Example:" : "Examples:",
    "",
    "```",
    ...verb.examples,
    "```",
    "",
  ];
}

function table(title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  return [
    `| ${title} | |`,
    "|---|---|",
    ...rows.map(([term, text]) => `| \`${term.replaceAll("|", "\\|")}\` | ${cell(text)} |`),
    "",
  ];
}

function optionText(option: { readonly summary: string; readonly choices?: readonly string[] }): string {
  return option.choices === undefined ? option.summary : `${option.summary}: ${option.choices.join(", ")}`;
}

/** Drawings and tables of the help stay unchanged; other paragraphs lose the line breaks of the source. */
function plainParagraph(text: string): string {
  return /^ /m.test(text) ? `\`\`\`\n${text}\n\`\`\`` : escapeMarkdown(text.replaceAll("\n", " "));
}

function cell(text: string): string {
  return escapeMarkdown(text).replaceAll("|", "\\|");
}

/** `<FILE>` would be taken for a tag, `*` for emphasis. In code, as in the first cells, both are shown as written. */
function escapeMarkdown(text: string): string {
  return text.replaceAll("<", "&lt;").replaceAll("*", "\\*");
}

function anchor(path: readonly string[]): string {
  return ["sealroot", ...path].join("-").replace(/[^a-z0-9-]/g, "");
}
