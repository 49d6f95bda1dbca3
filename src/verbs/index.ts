/**
 * verbs: what the program can do, one file a verb, from which parsing, help, completion and the manual come.
 *
 * `cli/` loads a verb's own file when it is called; a file that names all of them would load them all. shared/ has what
 * verbs have in common: what a verb is, shared options, and how results are printed. A verb calls the rooms below and
 * reports through the Output it is given; it prints nothing itself.
 * @module
 */
export type {
  AnyInvocation,
  ArgumentSpecification,
  Command,
  CommandEntry,
  CommandTable,
  Invocation,
  OptionSpecification,
} from "./shared/command.ts";
export { command } from "./shared/command.ts";
export type { Output } from "./shared/output.ts";
