/** What the verbs of `install edit` have in common. */
import { SealrootError } from "../../errors/index.ts";
import type { EditAction, EditedDisk, EditTarget } from "../../install/index.ts";
import { buildTime } from "./build-time.ts";
import type { ArgumentSpecification, Invocation, OptionSpecification } from "./command.ts";

export const DISK_ARGUMENT = { name: "DISK", summary: "raw disk file" } as const satisfies ArgumentSpecification;

export const STATE_PATH_ARGUMENT = {
  name: "PATH",
  summary: "absolute, as the installed system sees it; in /etc or /var",
} as const satisfies ArgumentSpecification;

export const DEPLOYMENT_OPTION = {
  flags: "--deployment <ID>",
  summary: "whose /etc it is: its id or the first digits (default: the one that boots)",
} as const satisfies OptionSpecification;

export const NEW_FILE_OPTIONS = [
  {
    flags: "--mode <MODE>",
    summary:
      "permission bits in octal (default: those of the file that is replaced; 0644, 0755 for programs and directories)",
    check: (text) => void parseMode(text),
  },
  {
    flags: "--owner <USER>",
    summary:
      "USER or USER:GROUP, names of the installed system or numbers (default: that of the file replaced, else root)",
  },
] as const satisfies readonly OptionSpecification[];

/** How PATH and links are understood, for every description. */
export const WHERE_TEXT = `PATH is what the installed system sees: links are followed inside of it and never lead out, /etc is that
of the deployment, /var the one that all deployments share. Nothing is mounted and no root is needed; the root of the disk
must be ext4. A disk that is in use, or whose system was not shut down, is refused.`;

export const CHANGE_TEXT = `A copy of the disk is changed, checked (every byte read back, then e2fsck) and named like it, so that
the disk is the old one or the new one, whatever happens. The copy shares its blocks where the file system can do that (btrfs,
xfs); holes stay holes.`;

type DiskCall = Invocation<readonly [typeof DEPLOYMENT_OPTION], readonly [typeof DISK_ARGUMENT]>;

/** The disk and the deployment of a call. */
export function editTarget(invocation: DiskCall): EditTarget {
  const deployment = invocation.option("deployment");
  return {
    disk: invocation.argument("DISK"),
    events: invocation.events,
    ...(deployment === undefined ? {} : { deployment }),
  };
}

/** Mode and owner of a call. */
export function newAttributes(invocation: Invocation<typeof NEW_FILE_OPTIONS>): { mode?: number; owner?: string } {
  const [mode, owner] = [invocation.option("mode"), invocation.option("owner")];
  return { ...(mode === undefined ? {} : { mode: parseMode(mode) }), ...(owner === undefined ? {} : { owner }) };
}

function parseMode(text: string): number {
  if (/^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777) return Number.parseInt(text, 8);
  throw new SealrootError("usage", `Cannot use --mode ${text}: it is not an octal number up to 7777`);
}

/** Changes the disk and tells what was changed. */
export async function runEdit(invocation: DiskCall, action: EditAction): Promise<void> {
  const { editDisk } = await import("../../install/index.ts");
  const epochSeconds = Math.floor(buildTime().getTime() / 1000);
  const edited = await editDisk(editTarget(invocation), action, epochSeconds);
  if (invocation.json) invocation.output.json(edited);
  else printEdits(edited, invocation);
}

function printEdits({ edits }: EditedDisk, { output }: DiskCall): void {
  for (const { path, change } of edits) output.line(`${change.padEnd("replaced".length)}  ${path}`);
  if (edits.length === 0) output.line("nothing to change");
}
