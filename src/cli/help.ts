/** The help of the upper levels, from the table alone: nothing is loaded for it. */
import type { CommandEntry } from "../verbs/index.ts";
import { textTable } from "../verbs/shared/table.ts";
import { COMMANDS, GROUPS } from "./commands.ts";

/** The help of `sealroot` itself. */
export function topHelp(version: string): string {
  const names = [...new Set(COMMANDS.filter((entry) => !entry.hidden).map((entry) => entry.path[0] ?? ""))];
  const rows = names.map((name) => [`  ${name}`, GROUPS[name] ?? summaryOf(name)]);
  return [
    `sealroot ${version}: bootable container images as sealed operating systems`,
    "",
    "Usage: sealroot VERB [ARGUMENTS]",
    "",
    ...textTable(rows),
    "",
    "  sealroot help VERB       more about one verb, with an example; or sealroot VERB --help",
    "  sealroot --version       print the version; with --verbose also which libraries make it faster here",
    "",
  ].join("\n");
}

/** The help of a group such as `sealroot repo`. */
export function groupHelp(prefix: readonly string[], entries: readonly CommandEntry[]): string {
  const rows = entries
    .filter((entry) => !entry.hidden)
    .map((entry) => [`  ${entry.path.slice(prefix.length).join(" ")}`, entry.summary]);
  const about = GROUPS[prefix.join(" ")];
  const usage = `Usage: sealroot ${prefix.join(" ")} VERB [ARGUMENTS]`;
  return [...(about ? [`${about}.`, ""] : []), usage, "", ...textTable(rows), ""].join("\n");
}

function summaryOf(name: string): string {
  return COMMANDS.find((entry) => entry.path.length === 1 && entry.path[0] === name)?.summary ?? "";
}
