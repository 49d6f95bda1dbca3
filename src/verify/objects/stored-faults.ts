/** What the check of a repository's objects finds, in words. */
import type { ObjectFaultKind } from "../../objects/index.ts";

export const FAULT_WORDS: Readonly<Record<ObjectFaultKind, string>> = {
  "object-open-failed": "it cannot be opened",
  "object-digest-mismatch": "its content has another digest",
  "object-verity-failed": "fs-verity fails",
  "object-verity-missing": "fs-verity is off",
};
