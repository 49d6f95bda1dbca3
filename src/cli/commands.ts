/**
 * The table of all verbs. Help and completion of the upper levels need only this file; a verb's own file is loaded when
 * it is called. Longer paths win, so `seal attach` and `seal IMAGE` live side by side.
 */
import type { Command } from "./command.ts";

export interface CommandEntry {
  /** The words that select the verb, such as ["repo", "init"]. */
  readonly path: readonly string[];
  /** One line, beginning with a verb in the imperative, no final period. */
  readonly summary: string;
  /** Left out of help and completion. */
  readonly hidden?: boolean;
  load(): Promise<Command>;
}

/** What a group of verbs is about, for the help of `sealroot` and `sealroot GROUP`. */
export const GROUPS: Readonly<Record<string, string>> = {
  completion: "Print the tab completion of a shell",
  install: "Put an image on a disk",
  keys: "Make and look at Secure Boot keys",
  vm: "Boot disks in a virtual machine",
};

export const COMMANDS: readonly CommandEntry[] = [
  {
    path: ["install", "to-disk"],
    summary: "Make a bootable disk from a sealed image",
    load: async () => (await import("./verbs/install-to-disk.ts")).installToDiskCommand,
  },
  {
    path: ["install", "print-configuration"],
    summary: "Print the merged installation configuration",
    load: async () => (await import("./verbs/install-print-configuration.ts")).installPrintConfiguration,
  },
  {
    path: ["seal"],
    summary: "Seal an image: signed UKI over the digest of its root",
    load: async () => (await import("./verbs/seal.ts")).seal,
  },
  {
    path: ["keys", "generate"],
    summary: "Make Secure Boot keys",
    load: async () => (await import("./verbs/keys-generate.ts")).keysGenerate,
  },
  {
    path: ["keys", "list"],
    summary: "Show Secure Boot keys and check that they fit together",
    load: async () => (await import("./verbs/keys-list.ts")).keysList,
  },
  {
    path: ["vm", "run"],
    summary: "Boot a disk image in a virtual machine",
    load: async () => (await import("./verbs/vm-run.ts")).vmRun,
  },
  {
    path: ["completion"],
    summary: "Print the tab completion of a shell",
    load: async () => (await import("./verbs/completion.ts")).completion,
  },
  {
    path: ["__complete"],
    summary: "List the words that can follow",
    hidden: true,
    load: async () => (await import("./verbs/completion.ts")).complete,
  },
];
