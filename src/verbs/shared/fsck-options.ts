/** The options of `repo fsck`, for the verb and for the code that does its work. */
import type { OptionSpecification } from "./command.ts";
import { REPOSITORY_OPTIONS } from "./repository-option.ts";

export const FSCK_OPTIONS = [
  { flags: "--metadata-only", summary: "do not read the contents of objects and streams" },
  {
    flags: "--like-cfsctl",
    summary: "check no more than cfsctl does: not whether streams have the content that their names state",
    excludes: ["metadata-only"],
  },
  {
    flags: "--repair",
    summary: "remove what is damaged; waits until nobody else uses the repository",
    excludes: ["metadata-only", "like-cfsctl"],
  },
  {
    flags: "--from <IMAGE>",
    summary: "with --repair: fetch what is missing from this image again",
    repeat: true,
    needs: ["repair"],
  },
  { flags: "--json [FORM]", summary: "print the result as JSON; full: everything known", choices: ["full"] },
  ...REPOSITORY_OPTIONS,
] as const satisfies readonly OptionSpecification[];
