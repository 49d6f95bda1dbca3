/**
 * What the host of a virtual machine, or a signed add-on, can append to a signed command line (spec/boot-chain.md I.1)
 * but must not: words that lead past what was sealed.
 */
import { SealrootError } from "../errors/index.ts";

/** Stops systemd from importing credentials, and with them units, from anywhere (kernel-command-line(7)). */
const IMPORT_CREDENTIALS = "systemd.import_credentials";

/** Words for the init of initramfs-tools: a script other than ours mounts the root, or a shell comes first. */
const OTHER_WAYS = ["boot", "break"];

/**
 * Refuses a second `systemd.import_credentials=`: systemd uses the last one, and imports if it cannot parse it.
 *
 * @param commandLine the text of /proc/cmdline
 * @throws SealrootError `untrusted`
 */
export function refuseSecondCredentialsWord(commandLine: string): void {
  const found = looseWords(commandLine).filter((word) => keyOf(word) === IMPORT_CREDENTIALS);
  if (found.length <= 1) return;
  throw new SealrootError(
    "untrusted",
    `Cannot go on: ${found.length} times ${IMPORT_CREDENTIALS}= on the kernel command line, at most 1 expected`,
    { actual: found.join(" ") },
  );
}

/**
 * Refuses what would make the init of initramfs-tools find a root some other way than ours.
 *
 * @param commandLine the text of /proc/cmdline
 * @throws SealrootError `untrusted`
 */
export function refuseOtherWays(commandLine: string): void {
  const found = looseWords(commandLine).find((word) => OTHER_WAYS.includes(keyOf(word)));
  if (found === undefined) return;
  throw new SealrootError(
    "untrusted",
    `Cannot go on: "${found}" on the kernel command line leads past the sealed root`,
  );
}

/**
 * Words however the line is read: the shell splits at blanks inside quotes, systemd removes both kinds of quotes and
 * backslashes from the middle of a word (proc-cmdline.c).
 */
function looseWords(commandLine: string): string[] {
  return commandLine
    .replace(/["'\\]/g, "")
    .split(/\s+/)
    .filter((word) => word !== "");
}

/** The key as systemd compares it: `-` is `_`, and in an initrd a leading `rd.` is ignored. */
function keyOf(word: string): string {
  const equals = word.indexOf("=");
  return (equals < 0 ? word : word.slice(0, equals)).replaceAll("-", "_").replace(/^rd\./, "");
}
