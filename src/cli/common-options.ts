/**
 * Options that the command line itself adds to verbs, in one place for parsing, help, tab completion and the manual.
 */
import type { Command, OptionSpecification } from "../verbs/index.ts";
import { PROGRESS_MODES } from "./progress.ts";
import { parseProgressFd } from "./progress-fd.ts";

/** For verbs that report (`Command.reportsJson`). */
const JSON_OPTION: OptionSpecification = { flags: "--json", summary: "print the result as JSON" };

export const HELP_OPTION: OptionSpecification = { flags: "-h, --help", summary: "show this help" };

/** For every verb, except help. */
const COMMON_OPTIONS: readonly OptionSpecification[] = [
  { flags: "-q, --quiet", summary: "report no progress" },
  { flags: "--progress <HOW>", summary: "how to report progress on standard error", choices: PROGRESS_MODES },
  {
    flags: "--progress-fd <N>",
    summary: "also report progress as bootc does: JSON lines on file descriptor N",
    check: parseProgressFd,
  },
];

/** All options of a verb in the order of its help, hidden ones included, `--help` left out. */
export function optionsOf(command: Command): readonly OptionSpecification[] {
  return [...(command.options ?? []), ...(command.reportsJson === true ? [JSON_OPTION] : []), ...COMMON_OPTIONS];
}

/** The options that are the same for every verb. */
export function sharedOptions(): readonly OptionSpecification[] {
  return [...COMMON_OPTIONS, HELP_OPTION];
}
